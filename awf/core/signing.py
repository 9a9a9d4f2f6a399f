"""Grafana's webhook signature: hex HMAC-SHA256 over the raw body, with the time it was made in front.

The notifier signs with it and the API verifies with it, before it reads a byte of the JSON.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from awf.errors import ConfigError, Unauthorized

SIGNATURE_HEADER: Final = "X-Grafana-Alerting-Signature"
TIMESTAMP_HEADER: Final = "X-Grafana-Alerting-Timestamp"
"""Grafana's default signature header; the timestamp header is a choice, ours in every configuration."""


def sign(secret: str, body: bytes, timestamp: int | None) -> str:
    """Return the signature of `body`, or of `<unix seconds>:body` when there is a timestamp.

    Raises ConfigError for an empty secret: a signature that anyone can make says nothing.
    """
    if not secret:
        raise ConfigError("a webhook cannot be signed without a secret", hint="Set AWF_WEBHOOK_SECRET.")
    message = body if timestamp is None else b"%d:%s" % (timestamp, body)
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def verify(
    secret: str,
    body: bytes,
    signature: str,
    timestamp: str | None,
    *,
    now: float,
    max_skew_s: float = 300,
) -> None:
    """Accept a signed body or raise Unauthorized saying why. `timestamp` is the header as received, None
    without one: then the signature covers the body alone and never grows old.

    That is accepted because Grafana sends it so unless told otherwise, and a replay gains nothing: the same
    alert is taken once, and nothing is done that telemetry does not show (docs/watcher-agent-configuration.md).
    """
    if not secret:
        raise Unauthorized("no webhook secret is configured", hint="Set AWF_WEBHOOK_SECRET.")
    if not signature:
        raise Unauthorized(f"the webhook has no {SIGNATURE_HEADER} header")
    moment = None if timestamp is None else _read_timestamp(timestamp)
    expected = sign(secret, body, moment)
    # Bytes, because compare_digest refuses text that is not ASCII.
    if not hmac.compare_digest(expected.encode(), signature.strip().lower().encode()):
        raise Unauthorized(
            "the webhook's signature does not match its body",
            hint="Sender and receiver need the same secret, and the same choice of timestamp header.",
        )
    if moment is not None and abs(now - moment) > max_skew_s:
        raise Unauthorized(
            f"the webhook was signed {abs(now - moment):.0f} s away from this clock, "
            f"more than {max_skew_s:.0f} s",
            hint="Set both clocks; an old delivery may also be a replay.",
        )


def _read_timestamp(text: str) -> int:
    # Only the form that `sign` writes: " 1", "+1" and "1_0" would be other bytes than were signed.
    if not (text.isascii() and text.isdigit() and len(text) <= 12) or str(int(text)) != text:
        raise Unauthorized(f"{TIMESTAMP_HEADER} is {text!r:.40}, expected unix seconds")
    return int(text)
