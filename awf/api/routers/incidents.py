"""Incidents, listed and live."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from awf.api.access import allow
from awf.api.incident_filter import IncidentFilter, Severity, Words, find_incidents
from awf.api.report import render_report
from awf.api.runtime import Parts
from awf.api.shapes import Cursor, Limit, incident_json, page_json
from awf.api.streams import message, stream
from awf.core.incidents import CauseClass, Incident, IncidentStatus
from awf.core.types import IncidentId, Json


class MarkdownResponse(PlainTextResponse):
    media_type = "text/markdown"


router = APIRouter(tags=["incidents"], dependencies=[allow("read")])


@router.get("/incidents")
async def list_incidents(
    *,
    parts: Parts,
    status: IncidentStatus | None = None,
    severity: Severity = "",
    cause: CauseClass | None = None,
    q: Words = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Json:
    """Incidents, newest first: all, or those of a status, a severity, a cause, and with words in their alerts."""
    wanted = IncidentFilter(status, severity, cause, q)
    return page_json(await find_incidents(parts.incidents, wanted, limit=limit, cursor=cursor), incident_json)


@router.get("/incidents/{incident_id}")
async def get_incident(incident_id: str, parts: Parts) -> Json:
    """One incident with its hypotheses, evidence and timeline."""
    return incident_json(await parts.incidents.get(IncidentId(incident_id)))


@router.get("/incidents/{incident_id}/report", response_class=MarkdownResponse)
async def incident_report(incident_id: str, parts: Parts) -> MarkdownResponse:
    """The incident as a postmortem in Markdown."""
    incident = await parts.incidents.get(IncidentId(incident_id))
    link = f"{parts.public_url.rstrip('/')}/ui/incidents/{incident.id}"
    return MarkdownResponse(render_report(incident, link))


@router.get("/api/v1/incidents/stream", response_class=EventSourceResponse)
async def stream_incidents(parts: Parts, incident_id: str | None = None) -> EventSourceResponse:
    """Every incident from now on as it changes, or one of them."""
    return stream(_changes(parts.incidents.changed(), incident_id), parts.stopping)


async def _changes(
    changed: AsyncIterator[Incident], incident_id: str | None
) -> AsyncIterator[ServerSentEvent]:
    async for incident in changed:
        if incident_id in (None, incident.id):
            yield message("incident", incident_json(incident))
