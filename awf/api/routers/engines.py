"""Engines in other processes: they announce themselves, upload events and obey changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from awf.api.access import allow
from awf.api.runtime import Parts, Runtime
from awf.api.shapes import read_json
from awf.api.streams import message, stream
from awf.core.codec import from_json, to_json
from awf.core.types import ControlAck, EngineId, EngineInfo, Json
from awf.errors import InvalidInput

router = APIRouter(prefix="/api/v1", tags=["engines"])

MAX_EVENTS = 5_000


@router.get("/engines", dependencies=[allow("read")])
async def list_engines(parts: Parts) -> Json:
    """The engines heard of in the last 15 seconds."""
    return {"items": [to_json(engine) for engine in await parts.controls.engines()], "next_cursor": None}


@router.post("/engines", status_code=204, dependencies=[allow("engine")])
async def register(request: Request, parts: Parts) -> None:
    """Announce an engine: EngineInfo as JSON."""
    engine = from_json(EngineInfo, await read_json(request))
    if not 0 < len(engine.id) <= 128 or not engine.id.isprintable():
        raise InvalidInput(f"id {engine.id[:40]!r} needs 1 to 128 printable characters", field="id")
    await parts.directory.register(engine)


@router.put("/engines/{engine_id}/heartbeat", status_code=204, dependencies=[allow("engine")])
async def heartbeat(engine_id: str, parts: Parts) -> None:
    """Still here; 404 asks to register again."""
    await parts.directory.heartbeat(EngineId(engine_id))


@router.post("/engines/{engine_id}/events", status_code=204, dependencies=[allow("engine")])
async def upload_events(engine_id: str, request: Request, parts: Parts) -> None:
    """Store `{"events": [WorkflowEvent...]}` in order; a repeat changes nothing."""
    body = await read_json(request)
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        raise InvalidInput(f"events needs to be a list of at most {MAX_EVENTS} events", field="events")
    await parts.executions.append_events(EngineId(engine_id), events)


@router.get("/controls", dependencies=[allow("engine")], response_class=EventSourceResponse)
async def stream_changes(
    parts: Parts,
    engine_id: Annotated[str, Query(min_length=1, max_length=128)],
    after_token: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> EventSourceResponse:
    """The changes this engine has not answered, then new ones as they come."""
    await parts.directory.heartbeat(EngineId(engine_id))  # 404 for an engine that is not registered
    return stream(_changes(parts, EngineId(engine_id), after_token), parts.stopping)


@router.post("/controls/{change_id}/ack", status_code=204, dependencies=[allow("engine")])
async def acknowledge(change_id: str, request: Request, parts: Parts) -> None:
    """Say what the engine did: ControlAck as JSON."""
    ack = from_json(ControlAck, await read_json(request))
    if ack.change_id != change_id:
        raise InvalidInput(
            f"change_id is {ack.change_id[:80]!r}, the path says {change_id[:80]!r}", field="change_id"
        )
    await parts.directory.acknowledge(ack)


async def _changes(parts: Runtime, engine_id: EngineId, after: int) -> AsyncIterator[ServerSentEvent]:
    async for change in parts.directory.changes(engine_id, after_token=after):
        yield message("change", to_json(change), position=change.token)
