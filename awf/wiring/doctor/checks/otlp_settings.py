"""Where telemetry goes, by OTEL_EXPORTER_OTLP_* or by default: pitfalls that show without sending anything."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from awf.orchestration.telemetry.endpoints import Endpoint, endpoints_from
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, ok, warn
from awf.wiring.engine import default_endpoint

WHAT = "OTLP settings"
_OTHER_PORT = {("grpc", 4318): "http/protobuf", ("http/protobuf", 4317): "grpc"}
_LOCAL = {"127.0.0.1", "localhost", "::1"}
_PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


async def _run(case: Case) -> list[Finding]:
    endpoints = endpoints_from(case.environ, endpoint=default_endpoint(case.settings))
    items = [
        f"{signal}: {each.protocol} to {each.url}"
        if each.is_wanted
        else f"{signal}: not exported (OTEL_{signal.upper()}_EXPORTER=none)"
        for signal, each in endpoints.items()
    ]
    endpoints = {signal: each for signal, each in endpoints.items() if each.is_wanted}
    if not endpoints:
        return [
            warn(
                WHAT, "no signal is exported", hint="Unset OTEL_TRACES_EXPORTER and the others.", items=items
            )
        ]
    pitfalls = list(dict.fromkeys(text for each in endpoints.values() for text in _pitfalls(each, case)))
    where = sorted({f"{each.protocol} to {_origin(each)}" for each in endpoints.values()})
    if pitfalls:
        return [warn(WHAT, "; ".join(where), hint=" ".join(pitfalls), items=items)]
    return [ok(WHAT, "; ".join(where), items=items)]


def _origin(endpoint: Endpoint) -> str:
    parts = urlsplit(endpoint.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _pitfalls(endpoint: Endpoint, case: Case) -> Iterator[str]:
    parts = urlsplit(endpoint.url)
    other = _OTHER_PORT.get((endpoint.protocol, parts.port or 0))
    if other:
        yield (
            f"Port {parts.port} usually speaks {other}: set OTEL_EXPORTER_OTLP_PROTOCOL={other}, or use port "
            f"{4317 if endpoint.protocol == 'grpc' else 4318}."
        )
    if endpoint.protocol == "grpc" and not parts.port:
        yield "The address has no port: gRPC usually listens on 4317."
    if endpoint.headers and not endpoint.is_secure and parts.hostname not in _LOCAL:
        yield "Headers (credentials?) go over http:// unencrypted: use https://."
    if parts.hostname not in _LOCAL:
        # requests and gRPC read them; what AWF asks on loopback never goes by a proxy.
        proxies = [name for name in _PROXIES if case.environ.get(name)]
        exempt = case.environ.get("NO_PROXY", "") or case.environ.get("no_proxy", "")
        if proxies and (parts.hostname or "") not in exempt:
            yield f"{' and '.join(proxies)} is set: add {parts.hostname} to NO_PROXY unless the proxy should be used."


SPEC = Check("otlp_settings", "settings", WHAT, _run)
