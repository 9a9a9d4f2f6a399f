"""The API over a real State, and a watcher that only stores and decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx

from awf.api.app import create_app
from awf.api.runtime import Runtime
from awf.core.incidents import Alert, Approval
from awf.core.types import ApprovalId, Json
from awf.state import State

BASE = "http://127.0.0.1:8000"


START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class MovingClock:
    """A clock that tests push forward."""

    def __init__(self) -> None:
        self.moment = START

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
