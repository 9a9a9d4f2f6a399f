"""Who gets in: Alloy's variants with TLS, with certificates of clients, and with a token.

The sender is AWF's own exporter, set as its users set it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from awf.orchestration.otel_exporter import OTelExporter
from tests.stack.native._alloy import Passage, passage
from tests.stack.native._certificates import Certificates
from tests.stack.native._programs import require, wait_for
from tests.unit.orchestration.telemetry._events import completed

PROTOCOLS = ["grpc", "http/protobuf"]
TOKEN = "a-token_of.this-test"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Passage]:
    require("alloy")
    files = {f"ALLOY_TLS_{kind}_FILE": certificates.path("server", end) for kind, end in
             (("CERT", "crt"), ("KEY", "key"))}  # fmt: skip
    with passage(tmp_path_factory.mktemp("tls"), "tls.alloy", **files) as found:
        yield found


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Passage]:
    require("alloy")
    files = {
        "ALLOY_TLS_CERT_FILE": certificates.path("server", "crt"),
        "ALLOY_TLS_KEY_FILE": certificates.path("server", "key"),
        "ALLOY_TLS_CLIENT_CA_FILE": certificates.path("ca", "crt"),
    }
    with passage(tmp_path_factory.mktemp("mutual"), "tls.alloy", **files) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passage]:
    require("alloy")
    folder: Path = tmp_path_factory.mktemp("auth")
    (folder / "token").write_text(f"{TOKEN}\n")
    with passage(folder, "auth.alloy", ALLOY_AUTH_TOKEN_FILE=str(folder / "token")) as found:
        yield found


async def _gets_in(found: Passage, door: str, protocol: str, scheme: str = "https") -> bool:
    """Send one execution through a door; whether Alloy took it and passed it on."""
    port = found.stack.address(f"{door}_{'grpc' if protocol == 'grpc' else 'http'}")
    before = len(found.collector.spans)
    exporter = OTelExporter(f"{scheme}://{port}", protocol=protocol)
    for event in completed(f"door-{before}-{protocol}"):
        assert exporter.record(event)
    is_taken = await exporter.flush(4)
    await exporter.shutdown(0.5)
    if is_taken:
        wait_for("spans behind Alloy", lambda: len(found.collector.spans) > before, 20)
    return is_taken


def _trust(monkeypatch: pytest.MonkeyPatch, certificates: Certificates, client: str = "") -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", certificates.path("ca", "crt"))
    if client:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificates.path(client, "crt"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", certificates.path(client, "key"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_over_tls_who_trusts_the_authority_gets_in_and_nobody_in_clear(
    tls: Passage, certificates: Certificates, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await _gets_in(tls, "alloy_tls", protocol), "a certificate of an unknown authority was trusted"
    _trust(monkeypatch, certificates)
    assert await _gets_in(tls, "alloy_tls", protocol)
    assert not await _gets_in(tls, "alloy_tls", protocol, "http")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_with_an_authority_for_clients_only_its_certificates_get_in(
    mutual: Passage, certificates: Certificates, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _trust(monkeypatch, certificates)
    assert not await _gets_in(mutual, "alloy_tls", protocol), "no certificate was needed"
    _trust(monkeypatch, certificates, "stranger")
    assert not await _gets_in(mutual, "alloy_tls", protocol), "a stranger's certificate was taken"
    _trust(monkeypatch, certificates, "client")
    assert await _gets_in(mutual, "alloy_tls", protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_with_a_token_file_only_the_token_gets_in(
    guarded: Passage, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await _gets_in(guarded, "alloy_auth", protocol, "http"), "no token was needed"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer another")
    assert not await _gets_in(guarded, "alloy_auth", protocol, "http"), "a wrong token was taken"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer {TOKEN}")
    assert await _gets_in(guarded, "alloy_auth", protocol, "http")
