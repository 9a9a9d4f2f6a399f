"""The pages: approvals, executions, runbooks, and the list of endpoints."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from awf.api.access import Asker, allow, require
from awf.api.routers.approvals import Reason, decide, is_yes
from awf.api.routers.watcher import set_paused
from awf.api.runtime import Parts
from awf.api.shapes import Cursor
from awf.api.ui import dashboards, decide_page, login, traces
from awf.api.ui.event_rows import event_row
from awf.api.ui.frame import frame
from awf.api.ui.incidents import pages as incidents
from awf.api.ui.login import local_path
from awf.api.ui.render import HERE, render
from awf.api.ui.runbooks import runbooks
from awf.core.types import ExecutionId, ExecutionStatus, Json, WorkflowId
from awf.errors import InvalidInput

router = APIRouter(prefix="/ui", include_in_schema=False, dependencies=[allow("read")])


def add_pages(app: FastAPI) -> None:
    """Mount the pages, their files and /docs."""
    app.include_router(login.router)
    app.include_router(decide_page.router)
    app.include_router(router)
    app.include_router(incidents.router)
    app.include_router(dashboards.router)
    app.include_router(traces.router)
    app.mount("/ui/static", StaticFiles(directory=HERE / "static"), name="static")

    @app.get("/docs", include_in_schema=False, dependencies=[allow("read")])
    async def docs(request: Request, parts: Parts, asker: Asker) -> HTMLResponse:
        groups = _endpoints(app.openapi())
        return render(request, "docs.html", groups=groups, **await frame(parts, asker))


@router.get("")
async def home() -> RedirectResponse:
    return RedirectResponse(login.HOME, status_code=303)


@router.get("/approvals")
async def approvals_page(request: Request, parts: Parts, asker: Asker) -> HTMLResponse:
    pending = await parts.approvals.pending()
    return render(request, "approvals.html", approvals=pending, **await frame(parts, asker))


@router.post("/approvals/{approval_id}/{answer}")
async def answer_approval(
    approval_id: str, answer: str, parts: Parts, asker: Asker, reason: Annotated[Reason, Form()] = ""
) -> Response:
    """Take the form of a decision and show the incident it is about."""
    require(asker, "decide")
    approval = await decide(parts, asker, approval_id, approve=is_yes(answer, reason), reason=reason)
    return RedirectResponse(f"/ui/incidents/{approval.incident_id}", status_code=303)


@router.post("/watcher/{state}")
async def switch_watcher(
    state: str, parts: Parts, asker: Asker, back: Annotated[str, Form(max_length=500)] = login.HOME
) -> Response:
    require(asker, "operate")
    if state not in ("pause", "resume"):
        raise InvalidInput(f"the watcher's state is {state!r:.40}, expected pause or resume", field="state")
    await set_paused(parts, asker, paused=state == "pause")
    return RedirectResponse(local_path(back), status_code=303)


@router.get("/runbooks")
async def runbooks_page(request: Request, parts: Parts, asker: Asker) -> HTMLResponse:
    return render(request, "runbooks.html", runbooks=runbooks().values(), **await frame(parts, asker))


@router.get("/executions")
async def executions_page(
    request: Request,
    *,
    parts: Parts,
    asker: Asker,
    workflow_id: Annotated[str, Query(max_length=256)] = "",
    status: Annotated[str, Query(max_length=16)] = "",
    cursor: Cursor = None,
) -> HTMLResponse:
    """Executions, newest first; the first page follows what happens."""
    workflows = {workflow.id for engine in await parts.controls.engines() for workflow in engine.workflows}
    page = await parts.executions.list(
        workflow_id=WorkflowId(workflow_id) if workflow_id else None,
        status=status or None,
        limit=50,
        cursor=cursor,
    )
    return render(
        request,
        "executions.html",
        executions=page.items,
        next_cursor=page.next_cursor,
        is_first=cursor is None,
        workflows=sorted(workflows | ({WorkflowId(workflow_id)} if workflow_id else set())),
        statuses=[each.value for each in ExecutionStatus],
        chosen={"workflow_id": workflow_id, "status": status},
        **await frame(parts, asker),
    )


@router.get("/executions/{execution_id}")
async def execution_page(request: Request, execution_id: str, parts: Parts, asker: Asker) -> HTMLResponse:
    record = await parts.executions.get(ExecutionId(execution_id))
    events = [event_row(event) async for _, event in parts.executions.events(record.id, follow=False)]
    return render(request, "execution.html", execution=record, events=events, **await frame(parts, asker))


def _endpoints(openapi: Json) -> dict[str, list[Json]]:
    groups: dict[str, list[Json]] = defaultdict(list)
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            about = operation.get("description") or operation.get("summary", "")
            tag = (operation.get("tags") or ["other"])[0]
            groups[tag].append({"method": method.upper(), "path": path, "about": about})
    return dict(groups)
