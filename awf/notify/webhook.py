"""Notices as JSON over HTTP, signed by the rules of Standard Webhooks when there is a secret.

`text` is what Slack's and many others' incoming webhooks show.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from time import time

import httpx
from pydantic import SecretStr

from awf.core.notices import Notice
from awf.errors import ConfigError, Unavailable
from awf.notify import NotifierSpec, Options
from awf.notify._posting import Poster
from awf.notify._text import inert


class WebhookOptions(Options):
    url: SecretStr
    secret: SecretStr = SecretStr("")


class WebhookNotifier:
    """Implements `Notifier`. Raises ConfigError when the address is none of the web, or the secret no secret."""

    def __init__(
        self,
        options: WebhookOptions,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self._address = Poster("the webhook", options.url.get_secret_value(), transport=transport)
        self._key = _key(options.secret.get_secret_value())
        self._now = now

    async def send(self, notice: Notice, *, thread: str) -> str:
        body = json.dumps(
            {
                "id": notice.id,
                "incident_id": notice.incident_id,
                "kind": notice.kind.value,
                "title": notice.title,
                "text": inert(f"{notice.title}: {notice.text}"),
                "severity": notice.severity,
                "link": notice.link,
            }
        ).encode()
        headers = {"content-type": "application/json", **self._signature(notice.id, body)}
        response = await self._address.post(content=body, headers=headers)
        if response.status_code >= 300:
            raise Unavailable(
                f"the webhook at {self._address.host} answered {response.status_code}",
                hint="Check its address.",
            )
        return ""

    def _signature(self, notice_id: str, body: bytes) -> dict[str, str]:
        """Return the headers of Standard Webhooks 1.0 (symmetric); without a secret only the id."""
        moment = str(int(self._now()))
        headers = {"webhook-id": notice_id, "webhook-timestamp": moment}
        if self._key:
            signed = b".".join([notice_id.encode(), moment.encode(), body])
            digest = base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
            headers["webhook-signature"] = f"v1,{digest}"
        return headers


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ConfigError(
            "the secret of a webhook is not Base64", hint="Write whsec_ and 24 to 64 random bytes as Base64."
        ) from error


SPEC = NotifierSpec("webhook", "Posts notices to an address.", WebhookOptions, WebhookNotifier)
