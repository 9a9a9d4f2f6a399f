"""The real API on a real socket, over a State in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from awf.api.app import create_app
from awf.api.runtime import Runtime
from awf.embedded.ports import reserve
from awf.embedded.web import WebServers
from awf.state import State
from tests.unit.api._parts import Intake
from tests.unit.cli._program import HOST


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is, what it stores, and a token that may do everything."""

    port: int
    state: State
    token: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def settings(self) -> dict[str, object]:
        return {"AWF_HOST": HOST, "AWF_API_PORT": self.port, "AWF_TOKEN": self.token}


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """Serve until the block ends."""
    async with await State.open(control_timeout_s=0.2, poll_s=0.05) as state:
        listener = reserve(HOST, {"AWF_API_PORT": 0})[0]
        server = Server(listener.getsockname()[1], state, await state.tokens.create("boss", "admin"))
        runtime = Runtime(
            incidents=state.incidents,
            approvals=state.approvals,
            audit=state.audit,
            controls=state.controls,
            directory=state.controls,
            executions=state.executions,
            tokens=state.tokens,
            sessions=state.sessions,
            replays=state.replays,
            switch=state.switch,
            intake=Intake(state),
            public_url=server.url,
        )
        servers = WebServers()
        try:
            await servers.start(create_app(runtime), listener)
            yield server
        finally:
            runtime.stopping.set()
            await servers.stop()
            listener.close()
