"""Workflows and their executions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from awf.api.access import Asker, allow
from awf.api.runtime import Parts, Runtime
from awf.api.shapes import Cursor, Limit, page_json
from awf.api.streams import last_event_id, message, stream
from awf.core.codec import to_json
from awf.core.types import (
    ControlKind,
    ControlOutcome,
    EngineId,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    Json,
    WorkflowId,
    new_id,
)
from awf.errors import Conflict, NotFound, Unavailable

router = APIRouter(tags=["executions"])


class StartRequest(BaseModel):
    """The input of an execution; none is an empty one."""

    input: dict[str, Any] = Field(default_factory=dict)


@router.get("/workflows", dependencies=[allow("read")])
async def list_workflows(parts: Parts) -> Json:
    """The workflows that live engines can run."""
    found: dict[str, Json] = {}
    for engine in await parts.controls.engines():
        for workflow in engine.workflows:
            found.setdefault(workflow.id, {**to_json(workflow), "engines": []})["engines"].append(engine.id)
    return {"items": [found[key] for key in sorted(found)], "next_cursor": None}


@router.post("/workflows/{workflow_id}/executions", status_code=202, dependencies=[allow("operate")])
async def start_execution(
    workflow_id: str,
    parts: Parts,
    asker: Asker,
    body: StartRequest | None = None,
    traceparent: Annotated[str, Header(max_length=256)] = "",
) -> Json:
    """Start an execution on a live engine; `pending` means that the engine has not answered yet. A W3C
    `traceparent` header makes it part of the caller's trace."""
    await _need_workflow(parts, workflow_id)
    record = ExecutionRecord(
        id=ExecutionId(new_id("exec")),
        workflow_id=WorkflowId(workflow_id),
        status=ExecutionStatus.PENDING,
        engine_id=EngineId(""),
        input=body.input if body else {},
        created_at=parts.clock.now(),
    )
    await parts.executions.save(record)
    outcome = await parts.controls.submit(
        ControlKind.START_EXECUTION,
        {"workflow_id": workflow_id, "execution_id": record.id, "input": record.input}
        | ({"traceparent": traceparent} if traceparent else {}),
        requested_by=asker.name,
        idempotency_key=f"start/{record.id}",
    )
    if outcome.is_refused or not (outcome.acks or outcome.waiting_for):
        reason = _refusal(outcome) or "no live engine took it"
        await parts.executions.save(
            replace(record, status=ExecutionStatus.FAILED, error=reason, finished_at=parts.clock.now())
        )
        raise (Conflict if outcome.is_refused else Unavailable)(
            f"execution {record.id} was not started: {reason}"
        )
    current = await parts.executions.get(record.id)
    return {"id": record.id, "workflow_id": workflow_id, "status": current.status.value}


@router.get("/executions", dependencies=[allow("read")])
async def list_executions(
    parts: Parts,
    workflow_id: Annotated[str | None, Query(max_length=256)] = None,
    status: ExecutionStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Json:
    """Executions of all engines, newest first."""
    page = await parts.executions.list(
        workflow_id=WorkflowId(workflow_id) if workflow_id else None,
        status=status.value if status else None,
        limit=limit,
        cursor=cursor,
    )
    return page_json(page)


@router.get("/executions/{execution_id}", dependencies=[allow("read")])
async def get_execution(execution_id: str, parts: Parts) -> Json:
    """One execution with its input and output."""
    found: Json = to_json(await parts.executions.get(ExecutionId(execution_id)))
    return found


@router.get(
    "/executions/{execution_id}/events", dependencies=[allow("read")], response_class=EventSourceResponse
)
async def stream_events(
    execution_id: str, parts: Parts, last_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None
) -> EventSourceResponse:
    """The events as they happen; Last-Event-ID goes on after one. `end` comes last, with the status."""
    after = last_event_id(last_id)
    record = await parts.executions.get(ExecutionId(execution_id))
    return stream(_events(parts, record.id, after), parts.stopping)


@router.post("/executions/{execution_id}/cancel", status_code=202, dependencies=[allow("operate")])
async def cancel_execution(execution_id: str, parts: Parts, asker: Asker) -> Json:
    """Ask the execution's engine to cancel it."""
    record = await parts.executions.get(ExecutionId(execution_id))
    if record.status.is_final:
        raise Conflict(f"execution {record.id} is already {record.status.value}")
    outcome = await parts.controls.submit(
        ControlKind.CANCEL_EXECUTION,
        {"execution_id": record.id},
        requested_by=asker.name,
        idempotency_key=f"cancel/{new_id('req')}",
    )
    if outcome.is_refused:
        raise Conflict(f"execution {record.id} was not cancelled: {_refusal(outcome)}")
    if not outcome.is_applied:
        raise Unavailable(
            f"engine {record.engine_id or 'unknown'} of execution {record.id} does not answer",
            hint="GET /api/v1/engines lists the live ones.",
        )
    await parts.audit.append(
        actor=asker.name, event="execution.cancelled", subject=record.id, detail={"via": "api"}
    )
    current = await parts.executions.get(record.id)
    return {"id": record.id, "status": current.status.value}


async def _need_workflow(parts: Runtime, workflow_id: str) -> None:
    engines = await parts.controls.engines()
    if not engines:
        raise Unavailable("no engine is live", hint="Start one, for example with awf demo.")
    known = sorted({workflow.id for engine in engines for workflow in engine.workflows})
    if workflow_id not in known:
        raise NotFound(
            f"no live engine runs workflow {workflow_id!r}", hint=f"Known: {', '.join(known[:20]) or 'none'}."
        )


def _refusal(outcome: ControlOutcome) -> str:
    return "; ".join(ack.detail or ack.status.value for ack in outcome.acks)


async def _events(parts: Runtime, execution_id: ExecutionId, after: int) -> AsyncIterator[ServerSentEvent]:
    async for position, event in parts.executions.events(execution_id, after=after):
        yield message(str(event.get("type", "event")), event, position=position)
    record = await parts.executions.get(execution_id)
    if record.status.is_final:
        yield message("end", {"status": record.status.value})
