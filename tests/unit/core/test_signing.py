"""The webhook signature, against values computed with OpenSSL."""

from __future__ import annotations

import pytest

from awf.core.signing import sign, verify
from awf.errors import ConfigError, Unauthorized

SECRET = "s3cret"
BODY = b'{"status":"firing"}'
NOW = 1_795_226_398


def test_signature_equals_openssl_over_body() -> None:
    # printf '{"status":"firing"}' | openssl dgst -sha256 -hmac s3cret
    assert sign(SECRET, BODY, None) == "043737fa7d4b65306416549b14537adb753ed11a55b3fb6f50fec5192bbd3851"


def test_signature_equals_openssl_over_timestamp_and_body() -> None:
    # printf '1795226398:{"status":"firing"}' | openssl dgst -sha256 -hmac s3cret
    assert sign(SECRET, BODY, NOW) == "a5be2a1f2e7b6f486f052644b72066c7c4cfad742c0ede1fd4538b0108b4533e"


@pytest.mark.parametrize("skew", [0, 299, -299])
def test_own_signature_verifies_within_the_skew(skew: int) -> None:
    verify(SECRET, BODY, sign(SECRET, BODY, NOW), str(NOW), now=NOW + skew)


def test_upper_case_hex_and_no_timestamp_verify() -> None:
    verify(SECRET, BODY, sign(SECRET, BODY, None).upper(), None, now=NOW)


@pytest.mark.parametrize(
    ("secret", "body", "signature", "timestamp", "now", "why"),
    [
        ("", BODY, sign(SECRET, BODY, NOW), str(NOW), NOW, "no webhook secret"),
        (SECRET, BODY, "", str(NOW), NOW, "has no X-Grafana-Alerting-Signature"),
        ("other", BODY, sign(SECRET, BODY, NOW), str(NOW), NOW, "does not match"),
        (SECRET, BODY + b" ", sign(SECRET, BODY, NOW), str(NOW), NOW, "does not match"),
        (SECRET, BODY, sign(SECRET, BODY, NOW), None, NOW, "does not match"),
        (SECRET, BODY, sign(SECRET, BODY, None), str(NOW), NOW, "does not match"),
        (SECRET, BODY, sign(SECRET, BODY, NOW), str(NOW + 1), NOW, "does not match"),
        (SECRET, BODY, "é" * 64, str(NOW), NOW, "does not match"),
        (SECRET, BODY, sign(SECRET, BODY, NOW), str(NOW), NOW + 301, "301 s away"),
        (SECRET, BODY, sign(SECRET, BODY, NOW), str(NOW), NOW - 301, "301 s away"),
        (SECRET, BODY, sign(SECRET, BODY, NOW), "soon", NOW, "expected unix seconds"),
        (SECRET, BODY, sign(SECRET, BODY, NOW), f"+{NOW}", NOW, "expected unix seconds"),
        (SECRET, BODY, sign(SECRET, BODY, NOW), "9" * 5000, NOW, "expected unix seconds"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    secret: str, body: bytes, signature: str, timestamp: str | None, now: float, why: str
) -> None:
    with pytest.raises(Unauthorized, match=why):
        verify(secret, body, signature, timestamp, now=now)


def test_signing_without_a_secret_is_refused() -> None:
    with pytest.raises(ConfigError, match="without a secret"):
        sign("", BODY, NOW)
