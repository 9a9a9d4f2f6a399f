"""The server's side of engines over a real State: in this process, or behind the real API on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import uvicorn
from fastapi import FastAPI

from awf.api.app import create_app
from awf.api.runtime import Runtime
from awf.core.types import ControlAck, ControlChange, EngineId, EngineInfo, Json
from awf.errors import Unavailable
from awf.orchestration.remote import HttpDirectory
from awf.state import State
from tests.unit.api._parts import Intake

VIAS = ("in process", "over HTTP")
TOKEN = "a-token-of-a-worker"


class Server:
    """Can be stopped and started again on the same state, as a restart of the service would.

    Engines reach it by `directory`, which serves both `EngineDirectory` and the upload of events.
    """

    def __init__(self, via: str, url: str, *, control_timeout_s: float = 10.0) -> None:
        self.url = url
        self._control_timeout_s = control_timeout_s
        self._port = 0
        self._parts = AsyncExitStack()
        self._open: State | None = None
        self._is_http = via == "over HTTP"
        self.directory: HttpDirectory | InProcess = InProcess(self)

    @property
    def state(self) -> State:
        if self._open is None:
            raise Unavailable("the server is stopped")
        return self._open

    async def start(self) -> None:
        state = await State.open(self.url, control_timeout_s=self._control_timeout_s, poll_s=0.05)
        await self._parts.enter_async_context(state)
        if self._is_http:
            await state.tokens.ensure("engine", "worker", TOKEN)
            self._port = await self._parts.enter_async_context(serving(state, self._port))
            if not isinstance(self.directory, HttpDirectory):
                self.directory = HttpDirectory(f"http://127.0.0.1:{self._port}", token=TOKEN)
        self._open = state

    async def stop(self) -> None:
        self._open = None
        await self._parts.aclose()

    async def aclose(self) -> None:
        await self.stop()
        if isinstance(self.directory, HttpDirectory):
            await self.directory.aclose()


class InProcess:
    """What an engine in the service's own process uses, as long as there is a state."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def register(self, engine: EngineInfo) -> None:
        await self._server.state.controls.register(engine)

    async def heartbeat(self, engine_id: EngineId) -> None:
        await self._server.state.controls.heartbeat(engine_id)

    async def changes(self, engine_id: EngineId, *, after_token: int) -> AsyncIterator[ControlChange]:
        async for change in self._server.state.controls.changes(engine_id, after_token=after_token):
            yield change

    async def acknowledge(self, ack: ControlAck) -> None:
        await self._server.state.controls.acknowledge(ack)

    async def append_events(self, engine_id: EngineId, events: Sequence[Json]) -> None:
        await self._server.state.executions.append_events(engine_id, events)


@contextlib.asynccontextmanager
async def serving(state: State, port: int) -> AsyncIterator[int]:
    """Serve the real API and yield its port; port 0 takes a free one."""
    stopping = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        _api(state, stopping), log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))  # `serve` would take over the signals
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        server.should_exit = True
        await task
        listener.close()


def _api(state: State, stopping: asyncio.Event) -> FastAPI:
    return create_app(
        Runtime(
            incidents=state.incidents, approvals=state.approvals, audit=state.audit, controls=state.controls,
            directory=state.controls, executions=state.executions, tokens=state.tokens,
            sessions=state.sessions, replays=state.replays, switch=state.switch, intake=Intake(state), stopping=stopping,
        )
    )  # fmt: skip
