"""Notices as events of PagerDuty (Events API v2): one alert there for each incident, resolved when it ends."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import SecretStr

from awf.core.escape import plain_text
from awf.core.incidents import SEVERITIES
from awf.core.notices import Notice, NoticeKind
from awf.errors import ConfigError, Unavailable
from awf.notify import NotifierSpec, Options
from awf.notify._posting import Poster

API = "https://events.pagerduty.com"
_MAX_SUMMARY = 1024


class PagerDutyOptions(Options):
    routing_key: SecretStr
    api_url: str = API


class PagerDutyNotifier:
    """Implements `Notifier`. Raises ConfigError without a routing key."""

    def __init__(
        self, options: PagerDutyOptions, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._key = options.routing_key.get_secret_value()
        if not self._key:
            raise ConfigError("PagerDuty needs a routing_key", hint="It is the integration key of a service.")
        url = f"{options.api_url.rstrip('/')}/v2/enqueue"
        self._address = Poster("PagerDuty", url, transport=transport)

    async def send(self, notice: Notice, *, thread: str) -> str:
        response = await self._address.post(json=_event(self._key, notice))
        if response.status_code != 202:
            raise Unavailable(
                f"PagerDuty answered {response.status_code}: {response.text[:200]}",
                hint="Check the routing key.",
            )
        return ""


def _event(key: str, notice: Notice) -> dict[str, Any]:
    event: dict[str, Any] = {"routing_key": key, "dedup_key": notice.incident_id}
    if notice.kind is NoticeKind.ENDED:
        return event | {"event_action": "resolve"}
    severity = notice.severity if notice.severity in SEVERITIES else "warning"
    payload = {
        "summary": plain_text(f"{notice.title}: {notice.text}", _MAX_SUMMARY), "source": "awf-watcher", "severity": severity,
        "component": "awf", "custom_details": {"kind": notice.kind.value, "notice": notice.id},
    }  # fmt: skip
    links = [{"href": notice.link, "text": "Incident in AWF"}] if notice.link else []
    return event | {"event_action": "trigger", "payload": payload, "links": links, "client": "AWF"}


SPEC = NotifierSpec(
    "pagerduty", "Opens and resolves alerts in PagerDuty.", PagerDutyOptions, PagerDutyNotifier
)
