"""The API over a real State in memory, with a watcher that only keeps its word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from awf.api.app import create_app
from awf.api.runtime import Runtime
from awf.core.incidents import Alert, Approval
from awf.core.types import ApprovalId, Json
from awf.state import State

BASE = "http://127.0.0.1:8000"


class MovingClock:
    """A clock that tests push forward."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Intake:
    """Stores deliveries and decides approvals, as the watcher does; no more."""

    state: State
    deliveries: list[tuple[list[Alert], bytes]] = field(default_factory=list)

    async def handle_alert(self, alerts: Sequence[Alert], body: bytes) -> Json:
        fresh = await self.state.incidents.receive(alerts, body)
        self.deliveries.append((list(alerts), body))
        return {"status": "received", "incidents": [], "duplicates": len(alerts) - len(fresh)}

    async def approve_action(self, approval_id: ApprovalId, *, by: str, reason: str = "") -> Approval:
        return await self.state.approvals.decide(approval_id, approve=True, by=by, reason=reason)

    async def reject_action(self, approval_id: ApprovalId, *, by: str, reason: str) -> Approval:
        return await self.state.approvals.decide(approval_id, approve=False, by=by, reason=reason)


@dataclass
class Api:
    """The application under test, its parts, and clients by role."""

    runtime: Runtime
    state: State
    intake: Intake
    clock: MovingClock
    tokens: dict[str, str]
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, role: str = "", *, address: str = "127.0.0.1", **changes: object) -> httpx.AsyncClient:
        """Return a client with a token of `role`; `changes` replace values of the runtime."""
        app = create_app(replace(self.runtime, **changes))  # type: ignore[arg-type]
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(address, 1234)),
            base_url=BASE,
            headers={"Authorization": f"Bearer {self.tokens[role]}"} if role else {},
        )
        self.opened.append(client)
        return client


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


Client = Callable[..., httpx.AsyncClient]
