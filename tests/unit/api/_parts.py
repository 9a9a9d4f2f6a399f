"""The API over a real State, and a watcher that only stores and decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
from fastapi import FastAPI

from awf.api.app import create_app
from awf.api.runtime import Runtime
from awf.core.incidents import (
    ActionCall,
    ActionOutcome,
    Alert,
    Approval,
    ApprovalStatus,
    CauseClass,
    Evidence,
    Hypothesis,
    Incident,
    IncidentStatus,
    Target,
    TimelineEntry,
)
from awf.core.ports import Delivery
from awf.core.types import (
    AgentId,
    AgentManifest,
    ApprovalId,
    EngineId,
    EngineInfo,
    IncidentId,
    Json,
    StepId,
    StepInfo,
    WorkflowId,
    WorkflowInfo,
)
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
        delivery = Delivery(alerts, body)
        (fresh,) = await self.state.incidents.at_desk(lambda desk: desk.receive([delivery]))
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
    plain_app: FastAPI | None = None
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, role: str = "", *, address: str = "127.0.0.1", **changes: object) -> httpx.AsyncClient:
        """Return a client with a token of `role`; `changes` replace values of the runtime."""
        if changes:
            app = create_app(replace(self.runtime, **changes))  # type: ignore[arg-type]
        else:
            self.plain_app = app = self.plain_app or create_app(self.runtime)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(address, 1234)),
            base_url=BASE,
            headers={"Authorization": f"Bearer {self.tokens[role]}"} if role else {},
        )
        self.opened.append(client)
        return client


def make_engine() -> EngineInfo:
    steps = (StepInfo(StepId("draft"), AgentId("writer")),)
    return EngineInfo(
        EngineId("e1"),
        (WorkflowInfo(WorkflowId("report"), "writes", steps),),
        (AgentManifest(AgentId("writer"), "Writer", "1"),),
        4,
    )


def make_event(kind: str, execution_id: str, name: str) -> dict[str, object]:
    return {
        "type": kind, "workflow_id": "report", "execution_id": execution_id, "id": name,
        "time_ns": 1_795_262_400_000_000_000, "data": {"output": {"text": "done"}},
    }  # fmt: skip


def make_incident(name: str = "inc_1", **changes: object) -> Incident:
    at = START
    target = Target(agent_id="fact-checker")
    evidence = Evidence("metrics", "94% failed", "sum(x)", at, at, float("nan"), 0.0, "javascript:alert(1)")
    values: dict[str, object] = {
        "alerts": (Alert("f1", "firing", at, {"alertname": "AWFAgentErrors", "x": "<script>"}),),
        "cause": CauseClass.AGENT_ERROR,
        "target": target,
        "hypotheses": (Hypothesis(CauseClass.AGENT_ERROR, target, 0.9, "It fails", (evidence,)),),
        "action": ActionCall("switch_fallback", {"step_id": "draft"}),
        "outcome": ActionOutcome.VERIFIED,
        "decided_by": "rules",
        "timeline": (TimelineEntry(at, "alert", "<b>fires</b>"),),
        **changes,
    }
    return Incident(id=IncidentId(name), status=IncidentStatus.RESOLVED, severity="critical", opened_at=at, **values)  # type: ignore[arg-type]  # fmt: skip


def make_approval(required_role: str = "approver") -> Approval:
    return Approval(
        id=ApprovalId("apr_1"),
        incident_id=IncidentId("inc_1"),
        status=ApprovalStatus.PENDING,
        action=ActionCall("scale_workers", {"workers": 8}),
        summary="Double the workers",
        why_asked="rule ask-scale",
        required_role=required_role,
        created_at=START,
        expires_at=START + timedelta(hours=1),
    )
