"""The list of incidents, one incident, and what its evidence looks like now."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from awf.api.access import Asker, allow
from awf.api.incident_filter import IncidentFilter, Severity, Words, find_incidents
from awf.api.runtime import Parts, Runtime
from awf.api.shapes import Cursor, incident_title
from awf.api.ui.dashboard_link import dashboard_link
from awf.api.ui.frame import frame
from awf.api.ui.incidents.evidence import evidence_chart, is_counted
from awf.api.ui.incidents.why import why_of
from awf.api.ui.render import render
from awf.api.ui.runbooks import runbooks
from awf.core.incident_history import stages_of
from awf.core.incidents import (
    SEVERITIES,
    ApprovalStatus,
    CauseClass,
    Evidence,
    Hypothesis,
    Incident,
    IncidentStatus,
)
from awf.core.types import IncidentId
from awf.errors import AwfError, InvalidInput, NotFound

router = APIRouter(prefix="/ui/incidents", include_in_schema=False, dependencies=[allow("read")])

PAGE = 50
Number = Annotated[int, Path(ge=1, le=100)]
Choice = Annotated[str, Query(max_length=32)]


@router.get("")
async def incidents_page(
    request: Request,
    *,
    parts: Parts,
    asker: Asker,
    status: Choice = "",
    severity: Severity = "",
    cause: Choice = "",
    q: Words = "",
    cursor: Cursor = None,
) -> HTMLResponse:
    """Open incidents first, then the rest, newest first; or those that a filter lets through."""
    chosen = {"status": status, "severity": severity, "cause": cause, "q": q}
    wanted = _wanted(status, severity, cause, q)
    page = await find_incidents(parts.incidents, wanted, limit=PAGE, cursor=cursor)
    return render(
        request,
        "incidents.html",
        opened=[] if cursor else list(filter(wanted.accepts, await _open_incidents(parts))),
        closed=[incident for incident in page.items if not incident.status.is_open],
        next_cursor=page.next_cursor,
        is_first=cursor is None,
        chosen=chosen,
        query=urlencode({name: text for name, text in chosen.items() if text}),
        statuses=list(IncidentStatus),
        severities=SEVERITIES,
        incident_title=incident_title,
        **await frame(parts, asker),
    )


@router.get("/{incident_id}")
async def incident_page(request: Request, incident_id: str, parts: Parts, asker: Asker) -> HTMLResponse:
    incident = await parts.incidents.get(IncidentId(incident_id))
    approval = await parts.approvals.get(incident.approval_id) if incident.approval_id else None
    return render(
        request,
        "incident.html",
        incident=incident,
        title=incident_title(incident),
        approval=approval,
        is_asked=approval is not None and approval.status is ApprovalStatus.PENDING,
        why=why_of(incident),
        stages=[each for each in stages_of(incident) if each.end],
        runbooks=runbooks(),
        dashboard=dashboard_link(incident) if parts.dashboards else "",
        has_charts=parts.dashboards is not None,
        **await frame(parts, asker),
    )


@router.get("/{incident_id}/evidence/{hypothesis}/{evidence}")
async def evidence_part(
    request: Request, incident_id: str, hypothesis: Number, evidence: Number, parts: Parts
) -> HTMLResponse:
    """The chart of a piece of evidence, which the page asks for when it comes into view."""
    incident = await parts.incidents.get(IncidentId(incident_id))
    about, shown = _evidence(incident, hypothesis, evidence)
    chart, problem = None, ""
    try:
        if parts.dashboards is not None:
            chart = await evidence_chart(parts.dashboards, incident, about, shown, parts.clock.now())
    except AwfError as error:  # the page is about the incident: it stays whole when Grafana is away
        problem = error.message
    return render(
        request, "_evidence_chart.html", chart=chart, problem=problem, is_counted=is_counted(shown.query)
    )


def _wanted(status: str, severity: str, cause: str, words: str) -> IncidentFilter:
    try:
        return IncidentFilter(
            IncidentStatus(status) if status else None, severity, CauseClass(cause) if cause else None, words
        )
    except ValueError as error:
        raise InvalidInput(f"{error}", hint="Choose from the lists on the page.") from error


def _evidence(incident: Incident, hypothesis: int, evidence: int) -> tuple[Hypothesis, Evidence]:
    try:
        about = incident.hypotheses[hypothesis - 1]
        return about, about.evidence[evidence - 1]
    except IndexError as error:
        raise NotFound(f"incident {incident.id} has no evidence {hypothesis}/{evidence}") from error


async def _open_incidents(parts: Runtime) -> list[Incident]:
    found: list[Incident] = []
    for status in IncidentStatus:
        if status.is_open:
            found += (await parts.incidents.list(status=status.value, limit=100)).items
    return sorted(found, key=lambda incident: incident.opened_at, reverse=True)
