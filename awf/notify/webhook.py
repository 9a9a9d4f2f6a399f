"""Notifications as JSON over HTTP: `{"title", "text", "severity", "link"}`, and `text` is what Slack shows."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from awf.core.escape import plain_text
from awf.core.http import client, reaching
from awf.errors import ConfigError, Unavailable
from awf.notify import NotifierSpec

MAX_TEXT = 3000


class WebhookNotifier:
    """Implements `Notifier`. Raises ConfigError when the address is none of the web."""

    name = "webhook"

    def __init__(
        self, url: str, *, timeout_s: float = 10.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError(f"{url!r} is no address of a webhook", hint="Write it as https://host/path.")
        self._url = url
        # The path of such an address is often its secret: messages name the host only.
        self._shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._timeout_s = timeout_s
        self._transport = transport

    async def send(self, title: str, text: str, *, severity: str, link: str = "") -> None:
        shown = _inert(f"{title}: {text}")
        body = {"title": title, "text": shown, "severity": severity, "link": link}
        with reaching("the on-call webhook", self._shown):
            async with client("", timeout_s=self._timeout_s, transport=self._transport) as http:
                response = await http.post(self._url, json=body)
        if response.status_code >= 300:
            raise Unavailable(
                f"the on-call webhook at {self._shown} answered {response.status_code}",
                hint="Check AWF_ONCALL_WEBHOOK_URL.",
            )


def _inert(text: str) -> str:
    """Return text in which chat programs find no markup: a label may hold `<!channel>` or `<https://x|click>`."""
    kept = plain_text(text, MAX_TEXT)
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _open(options: Mapping[str, str]) -> WebhookNotifier:
    return WebhookNotifier(options.get("url", ""))


SPEC = NotifierSpec("webhook", "Posts notifications to an address.", _open)
