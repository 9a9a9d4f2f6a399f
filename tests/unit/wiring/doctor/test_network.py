"""Real listeners of the wrong kind: what a failed request means is said in words."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from awf.orchestration.telemetry.endpoints import endpoint_for
from awf.wiring.doctor.checks.otlp_answers import _try
from awf.wiring.doctor.network import unreachable
from tests.collector import Collector, Refusal

GRPC, HTTP = "grpc", "http/protobuf"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return key and certificate for a host of another name, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "server.key", folder / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other.test",
         "-addext", "subjectAltName=DNS:other.test", "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, pem


@contextmanager
def _url(kind: str, certificate: tuple[Path, Path]) -> Iterator[str]:
    if kind == "nothing":
        yield "http://127.0.0.1:1"
        return
    if kind == "no name":
        yield "http://no-such-host.invalid:4317"
        return
    protocol, _, tls = kind.partition(" with ")
    with Collector(protocol, tls=certificate if tls else None) as collector:
        yield f"127.0.0.1:{collector.port}"


@pytest.mark.parametrize(
    ("spoken", "scheme", "listener", "words"),
    [
        (GRPC, "http", "nothing", "nothing listens there"),
        (HTTP, "http", "nothing", "nothing listens there"),
        (GRPC, "http", "no name", "cannot be resolved"),
        (HTTP, "http", "no name", "cannot be resolved"),
        (GRPC, "http", HTTP, "it speaks HTTP, not gRPC"),
        (HTTP, "http", GRPC, "not in this protocol"),
        (GRPC, "https", GRPC, "it speaks no TLS"),
        (HTTP, "https", HTTP, "it speaks no TLS"),
        (GRPC, "https", "grpc with TLS", "its certificate is not trusted here"),
        (HTTP, "https", "http/protobuf with TLS", "its certificate is not trusted here"),
        (GRPC, "http", "grpc with TLS", "not in this protocol"),
        (HTTP, "http", "http/protobuf with TLS", "not in this protocol"),
    ],
)
def test_what_listens_is_told_apart(
    spoken: str, scheme: str, listener: str, words: str, certificate: tuple[Path, Path]
) -> None:
    with _url(listener, certificate) as url:
        url = url if "://" in url else f"{scheme}://{url}"
        said, hint = _try(endpoint_for("traces", {}, endpoint=url, protocol=spoken))
    assert words in said
    assert hint


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_certificate_for_another_name_is_told_from_one_that_is_not_trusted(
    protocol: str, certificate: tuple[Path, Path]
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate[1])}
    with Collector(protocol, tls=certificate) as collector:
        url = f"https://127.0.0.1:{collector.port}"
        said, hint = _try(endpoint_for("traces", environ, endpoint=url, protocol=protocol))
    assert "for another name" in said
    assert hint


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "credentials"), (404, "wrong endpoint"), (429, "throttled"), (500, "server error")],
)
def test_a_collector_that_refuses_is_quoted(protocol: str, status: int, words: str) -> None:
    with Collector(protocol, rule=lambda signal, request: Refusal(status, detail="so it says")) as collector:
        said, hint = _try(endpoint_for("traces", {}, endpoint=collector.url, protocol=protocol))
    assert said.startswith(words)
    assert "so it says" in said
    assert hint


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_that_takes_nothing_empty_is_the_right_one(protocol: str) -> None:
    with Collector(protocol, rule=lambda signal, request: Refusal(400)) as collector:
        assert _try(endpoint_for("logs", {}, endpoint=collector.url, protocol=protocol)) == ("", "")


@pytest.mark.parametrize(
    ("scheme", "listener", "words"),
    [
        ("http", "nothing", "nothing listens there"),
        ("http", "no name", "cannot be resolved"),
        ("https", HTTP, "it speaks no TLS"),
        ("https", "http/protobuf with TLS", "not trusted"),
        ("http", GRPC, "not in this protocol"),
    ],
)
def test_a_server_over_http_is_told_in_the_same_words(
    scheme: str, listener: str, words: str, certificate: tuple[Path, Path]
) -> None:
    with _url(listener, certificate) as url:
        url = url if "://" in url else f"{scheme}://{url}"
        with pytest.raises(httpx.HTTPError) as caught:
            httpx.get(url, timeout=5, trust_env=False)
    assert words in unreachable(url, caught.value).message
