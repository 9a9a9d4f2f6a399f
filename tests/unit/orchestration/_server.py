"""The server's side of an engine link, as small as it can be: over HTTP, or called directly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from awf.core.codec import from_json, to_json
from awf.core.types import ControlAck, ControlChange, EngineId, EngineInfo, Json
from awf.errors import AwfError, InvalidInput, NotFound, Unauthorized, Unavailable


class Directory:
    """An in-memory `EngineDirectory` that also takes events."""

    def __init__(self) -> None:
        self.engines: dict[str, EngineInfo] = {}
        self.heartbeats = 0
        self.changes_made: list[ControlChange] = []
        self.acks: list[ControlAck] = []
        self.events: list[Json] = []
        self.is_away = False
        self.refuse: Callable[[Json], bool] = lambda event: False
        self._news = asyncio.Condition()

    async def register(self, engine: EngineInfo) -> None:
        self._check()
        self.engines[engine.id] = engine
        await self._tell()

    async def heartbeat(self, engine_id: EngineId) -> None:
        self._check()
        if engine_id not in self.engines:
            raise NotFound(f"engine {engine_id} is not known")
        self.heartbeats += 1
        await self._tell()

    async def changes(self, engine_id: EngineId, *, after_token: int) -> AsyncIterator[ControlChange]:
        self._check()
        while True:
            for change in self.changes_made:
                if change.token > after_token:
                    after_token = change.token
                    yield change
            async with self._news:
                await self._news.wait()

    async def acknowledge(self, ack: ControlAck) -> None:
        self._check()
        self.acks.append(ack)
        await self._tell()

    async def append_events(self, engine_id: EngineId, events: Sequence[Json]) -> None:
        self._check()
        if any(self.refuse(event) for event in events):
            raise InvalidInput("an event is odd")
        known = {event["id"] for event in self.events}
        self.events += [event for event in events if event["id"] not in known]
        await self._tell()

    async def order(self, change: ControlChange) -> None:
        self.changes_made.append(change)
        await self._tell()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(reached)

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("away")

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


def app(directory: Directory, token: str) -> Starlette:
    """Serve a directory under the paths and shapes that `HttpDirectory` expects."""

    def guarded(work: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                if request.headers.get("authorization") != f"Bearer {token}":
                    raise Unauthorized("no token")
                result = await work(request)
            except AwfError as error:
                return JSONResponse(error.problem(), error.http_status)
            return result if isinstance(result, Response) else Response(status_code=204)

        return endpoint

    async def register(request: Request) -> None:
        await directory.register(from_json(EngineInfo, await request.json()))

    async def heartbeat(request: Request) -> None:
        await directory.heartbeat(request.path_params["id"])

    async def events(request: Request) -> None:
        await directory.append_events(request.path_params["id"], (await request.json())["events"])

    async def ack(request: Request) -> None:
        await directory.acknowledge(from_json(ControlAck, await request.json()))

    async def controls(request: Request) -> Response:
        query = request.query_params

        async def body() -> AsyncIterator[str]:
            yield ": hello\n\n"
            found = directory.changes(EngineId(query["engine_id"]), after_token=int(query["after_token"]))
            async for change in found:
                yield f"event: change\nid: {change.token}\ndata: {json.dumps(to_json(change))}\n\n: keep-alive\n\n"

        return StreamingResponse(body(), media_type="text/event-stream")

    return Starlette(
        routes=[
            Route("/api/v1/engines", guarded(register), methods=["POST"]),
            Route("/api/v1/engines/{id}/heartbeat", guarded(heartbeat), methods=["PUT"]),
            Route("/api/v1/engines/{id}/events", guarded(events), methods=["POST"]),
            Route("/api/v1/controls/{id}/ack", guarded(ack), methods=["POST"]),
            Route("/api/v1/controls", guarded(controls)),
        ]
    )


@contextlib.asynccontextmanager
async def serving(served: Starlette) -> AsyncIterator[str]:
    """Run an app on a free port of this machine and yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(served, log_config=None, lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))  # `serve` would take over the signals
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
