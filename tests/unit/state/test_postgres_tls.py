"""PostgreSQL over TLS, said in a URL's own words: `sslmode` and `sslrootcert`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from awf.errors import DataDirError, StateUnavailable
from awf.state import State
from tests.postgres import PASSWORD, Postgres

ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's PostgreSQL")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, secret = folder / "server.crt", folder / "server.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, secret


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.create()
        files = _certificate(server.home)
        for path in files:
            server.give(path)
        server.start(ssl="on", ssl_cert_file=str(files[0]), ssl_key_file=str(files[1]))
        yield server
    finally:
        server.remove()


async def _is_encrypted(url: str) -> bool:
    async with await State.open(url, password=lambda: PASSWORD) as state:
        return bool(await state.database.read(lambda conn: conn.exec_driver_sql(ENCRYPTED).scalar()))


@pytest.mark.parametrize(
    ("query", "is_encrypted"),
    [
        ("", True),
        ("?sslmode=disable", False),
        ("?sslmode=require", True),
        ("?sslmode=verify-ca&sslrootcert={root}", True),
        ("?sslmode=verify-full&sslrootcert={root}", True),
    ],
)
async def test_a_connection_is_as_safe_as_its_url_says(
    server: Postgres, query: str, is_encrypted: bool
) -> None:
    url = server.new_database() + query.format(root=server.home / "server.crt")
    assert await _is_encrypted(url) is is_encrypted


async def test_a_server_that_another_authority_vouches_for_is_refused(
    server: Postgres, tmp_path: Path
) -> None:
    root, _ = _certificate(tmp_path)
    with pytest.raises(StateUnavailable, match="certificate"):
        await _is_encrypted(f"{server.new_database()}?sslmode=verify-full&sslrootcert={root}")


async def test_a_server_of_another_name_is_refused_where_the_name_counts(server: Postgres) -> None:
    url = server.new_database().replace("127.0.0.1", "localhost")
    root = server.home / "server.crt"
    assert await _is_encrypted(f"{url}?sslmode=verify-ca&sslrootcert={root}")
    with pytest.raises(StateUnavailable, match=r"[Hh]ostname"):
        await _is_encrypted(f"{url}?sslmode=verify-full&sslrootcert={root}")


async def test_a_server_without_tls_is_refused_where_it_is_required(postgres: Postgres) -> None:
    with pytest.raises(StateUnavailable, match="SSL"):
        await _is_encrypted(f"{postgres.new_database()}?sslmode=require")


@pytest.mark.parametrize("query", ["sslmode=perhaps", "sslmode=verify-full", "sslmode=require&sslrootcert=x"])
async def test_words_that_mean_nothing_are_a_wrong_setting(server: Postgres, query: str) -> None:
    with pytest.raises(DataDirError, match="ssl"):
        await _is_encrypted(f"{server.new_database()}?{query}")


@pytest.mark.parametrize("query", ["connect_timeout=5", "target_session_attrs=nonsense", "options=-c"])
async def test_what_the_driver_does_not_know_is_named(server: Postgres, query: str) -> None:
    with pytest.raises(DataDirError, match=query.partition("=")[0]):
        await _is_encrypted(f"{server.new_database()}?{query}")
