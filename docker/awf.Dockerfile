# The image of AWF: API, watcher, demo, the one-shots of compose.yaml, and the Grafana MCP server.
# `docker compose build` makes it; the base image is named in compose.yaml, with all other versions.
# The same commit gives the same files: dependencies by hash, times from SOURCE_DATE_EPOCH, byte code by hash.
ARG PYTHON_IMAGE

FROM ${PYTHON_IMAGE} AS build
ARG SOURCE_DATE_EPOCH=1767225600
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Dependencies first: they change less often than AWF does. No pip in the environment that is shipped.
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt \
 && python -m venv --without-pip /opt/awf \
 && /opt/build/bin/pip --python /opt/awf install --require-hashes --only-binary :all: --no-compile \
      -r requirements/runtime.txt \
 && /opt/awf/bin/mcp-grafana --version # makes its program executable, which the user below could not

COPY pyproject.toml README.md ./
COPY awf awf
RUN /opt/build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /dist . \
 && /opt/build/bin/pip --python /opt/awf install --no-deps --no-index --no-compile /dist/*.whl \
 && /opt/awf/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/awf/lib \
 && find /opt/awf -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 awf \
 && useradd --uid 10001 --gid awf --no-create-home --home-dir /var/lib/awf --shell /usr/sbin/nologin awf \
 && install -d -o awf -g awf -m 0700 /var/lib/awf \
 && install -d /srv/awf
COPY --from=build /opt/awf /opt/awf
ENV PATH=/opt/awf/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 AWF_DATA_DIR=/var/lib/awf
WORKDIR /srv/awf
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=5 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
LABEL org.opencontainers.image.title="awf" \
      org.opencontainers.image.description="Observability that acts, for teams that run AI-agent workflows." \
      org.opencontainers.image.licenses="Apache-2.0"
CMD ["awf", "serve"]
