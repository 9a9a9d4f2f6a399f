"""Delivery of one notification: Grafana's body, its signature, one POST without a retry."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

import httpx

from awf.core import http
from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from awf.embedded.ruler.notifier import Delivery
from awf.embedded.ruler.payload import Json, Notified, webhook_body
from awf.errors import ConfigError

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 30.0
MAX_ALERTS: Final = 100
"""Most alerts in one body, so that a storm stays below the size that receivers take."""


class Webhook:
    """The contact point. Without a secret the body goes out unsigned, and the watcher will not act on it."""

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        base_url: str,
        now_ms: Callable[[], int],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ConfigError(f"the webhook address {url!r} is not an http(s) URL")
        self._url = parsed
        self._secret = secret
        self._base_url = base_url.rstrip("/")
        self._now_ms = now_ms
        self._client = http.client("", timeout_s=TIMEOUT_S, transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def deliver(self, alerts: list[Notified]) -> Delivery:
        """Send alerts of one name and say how it went; what failed stays due."""
        now_ms = self._now_ms()
        body = webhook_body(alerts, base_url=self._base_url, now_ms=now_ms, max_alerts=MAX_ALERTS)
        fields = {"title": body["title"].strip(), "alerts": len(alerts), "truncated": body["truncatedAlerts"]}
        outcome, why = await self._post(body, now_ms // 1000)
        if outcome is Delivery.DELIVERED:
            logger.info("alert notification delivered", extra=fields)
        else:
            logger.warning(
                "alert notification not delivered", extra={**fields, "outcome": outcome.value, "error": why}
            )
        return outcome

    async def try_out(self, alert: Notified) -> str:
        """Send one alert that is no group's, and return why it was not taken; nothing when it was."""
        now_ms = self._now_ms()
        body = webhook_body([alert], base_url=self._base_url, now_ms=now_ms, max_alerts=1)
        outcome, why = await self._post(body, now_ms // 1000)
        return "" if outcome is Delivery.DELIVERED else why

    async def _post(self, body: Json, timestamp: int) -> tuple[Delivery, str]:
        content = await asyncio.to_thread(lambda: json.dumps(body, ensure_ascii=False).encode())
        headers = {"Content-Type": "application/json", "User-Agent": "Grafana"}
        if self._secret:
            headers[TIMESTAMP_HEADER] = str(timestamp)
            headers[SIGNATURE_HEADER] = sign(self._secret, content, timestamp)
        try:
            response = await self._client.post(self._url, content=content, headers=headers)
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            return Delivery.REFUSED, repr(error)
        except httpx.HTTPError as error:
            return Delivery.UNREACHABLE, repr(error)
        if response.is_success:
            return Delivery.DELIVERED, ""
        return Delivery.REFUSED, f"{response.status_code} {response.text[:200]}"
