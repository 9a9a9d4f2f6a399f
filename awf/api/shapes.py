"""The wire shapes of what the API lists, and bounded reading of JSON bodies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request

from awf.core.codec import to_json
from awf.core.incidents import Incident
from awf.core.ports import Page
from awf.core.types import Json
from awf.errors import InvalidInput

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="Most items to return.")]
Cursor = Annotated[str | None, Query(max_length=200, description="next_cursor of the page before.")]


def page_json(page: Page[T], shape: Callable[[T], Any] = to_json) -> Json:
    return {"items": [shape(item) for item in page.items], "next_cursor": page.next_cursor}


def incident_title(incident: Incident) -> str:
    """Say what is wrong in one line: the cause once it is known, the alert until then."""
    if incident.hypotheses and incident.cause is not None:
        return incident.hypotheses[0].summary
    if not incident.alerts:
        return "Incident without alerts"
    first = incident.alerts[0]
    return first.annotations.get("summary") or first.name


def incident_json(incident: Incident) -> Json:
    """Return an incident as the API shows it: alerts reduced, cause and action each one object."""
    target = to_json(incident.target) if incident.target else {}
    return {
        "id": incident.id,
        "status": incident.status.value,
        "severity": incident.severity,
        "title": incident_title(incident),
        "alerts": [
            {
                "fingerprint": alert.fingerprint,
                "startsAt": to_json(alert.starts_at),
                "status": alert.status,
                "labels": dict(alert.labels),
            }
            for alert in incident.alerts
        ],
        "cause": incident.cause
        and {"class": incident.cause.value, "target": {key: text for key, text in target.items() if text}},
        "hypotheses": to_json(incident.hypotheses),
        "action": incident.action
        and {
            "name": incident.action.name,
            "arguments": to_json(incident.action.arguments),
            "outcome": to_json(incident.outcome),
        },
        "decided_by": incident.decided_by,
        "advice": to_json(incident.advice),
        "ruled_out": list(incident.ruled_out),
        "not_looked_at": list(incident.not_looked_at),
        "approval_id": incident.approval_id,
        "opened_at": to_json(incident.opened_at),
        "resolved_at": to_json(incident.resolved_at),
        "timeline": to_json(incident.timeline),
    }


async def read_json(request: Request) -> Any:
    """Return the body as JSON; the gate has bounded its size. Raises InvalidInput."""
    body = await request.body()
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}", field="body") from error
