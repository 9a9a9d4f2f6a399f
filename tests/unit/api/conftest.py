"""The API over a real State in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from awf.api.runtime import Runtime
from awf.state import State
from tests.unit.api._parts import BASE, Api, Intake, MovingClock


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    clock = MovingClock()
    async with await State.open(clock=clock, control_timeout_s=0.2, poll_s=0.05) as state:
        intake = Intake(state)
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
            intake=intake,
            webhook_secret="hush",
            public_url=BASE,
            version="0.1.0",
            clock=clock,
        )
        roles = ("viewer", "worker", "operator", "approver", "admin")
        tokens = {role: await state.tokens.create(f"a-{role}", role) for role in roles}
        api = Api(runtime, state, intake, clock, tokens)
        yield api
        for client in api.opened:
            await client.aclose()
