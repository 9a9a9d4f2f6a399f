"""An engine with three steps, and a runner over it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from awf.core import semconv as sc
from awf.core.actions import Attempt, WorkOrder
from awf.core.incidents import ActionCall, Approval, ApprovalStatus, CauseClass, Hypothesis, Target
from awf.core.registry import discover
from awf.core.types import (
    AgentId,
    AgentManifest,
    ApprovalId,
    EngineId,
    EngineInfo,
    IncidentId,
    StepId,
    StepInfo,
    WorkflowId,
    WorkflowInfo,
)
from awf.remediation.policy import RulePolicy, default_policy
from awf.remediation.runner import ActionRunner
from awf.remediation.spec import ActionSpec, RemediationConfig, Tools
from awf.state.state import State
from awf.testing import EPOCH, FakeClock, FakeControls, FakePeople, FakeTelemetry, counter

SPECS = discover("awf.remediation.actions", ActionSpec)
INCIDENT = IncidentId("inc_1")
DRAFT = Target("report", "draft", "writer")
BEGIN = EPOCH - timedelta(minutes=10)


def engine(workers: int = 4) -> EngineInfo:
    steps = (
        StepInfo(StepId("draft"), AgentId("writer"), fallback_agent_id=AgentId("backup")),
        StepInfo(StepId("title"), AgentId("writer"), fallback_agent_id=AgentId("backup")),
        StepInfo(StepId("publish"), AgentId("publisher")),
        StepInfo(StepId("review"), AgentId("reviewer"), fallback_agent_id=AgentId("writer")),
    )
    agents = tuple(
        AgentManifest(AgentId(name), name, "1") for name in ("writer", "backup", "publisher", "reviewer")
    )
    return EngineInfo(EngineId("e1"), (WorkflowInfo(WorkflowId("report"), "", steps),), agents, workers)


def cause(*affected: Target, kind: CauseClass = CauseClass.AGENT_ERROR) -> Hypothesis:
    target = affected[0] if affected else Target()
    return Hypothesis(kind, target, 0.9, "it fails", affected=affected)


def order(call: ActionCall, *, incident: str = INCIDENT, **more: Any) -> WorkOrder:
    return WorkOrder(IncidentId(incident), call, "critical", "it fails", **more)


def approval(call: ActionCall, *, status: ApprovalStatus = ApprovalStatus.APPROVED) -> Approval:
    return Approval(
        id=ApprovalId("apr_1"), incident_id=INCIDENT, status=status, action=call, summary="", why_asked="",
        required_role="approver", created_at=EPOCH, expires_at=EPOCH + timedelta(hours=1), decided_by="ana",
    )  # fmt: skip


def steps(
    telemetry: FakeTelemetry, step: str, *phases: tuple[int, float, float], status: str = "completed"
) -> None:
    """Phases: (seconds after now, runs per second, milliseconds)."""
    labels = {"workflow_id": "report", "step_id": step, "agent_id": "x", "status": status}
    times = [(BEGIN if at < -600 else EPOCH + timedelta(seconds=at), rate, ms) for at, rate, ms in phases]
    telemetry.add(f"{sc.STEP_DURATION}_count", counter(*((at, rate) for at, rate, _ in times)), **labels)
    telemetry.add(f"{sc.STEP_DURATION}_sum", counter(*((at, rate * ms) for at, rate, ms in times)), **labels)


@dataclass
class Scene:
    state: State
    clock: FakeClock
    telemetry: FakeTelemetry
    controls: FakeControls
    people: FakePeople

    def runner(self, *, policy: RulePolicy | None = None, **config: Any) -> ActionRunner:
        tools = Tools(self.controls, self.telemetry, self.people, self.clock, RemediationConfig(**config))
        usual = default_policy((name, spec.default) for name, spec in SPECS.items())
        return ActionRunner(
            SPECS,
            policy=policy or usual,
            audit=self.state.audit,
            attempts=self.state.attempts,
            tools=tools,
        )

    async def finish(self, done: WorkOrder, outcome: str = "effective") -> None:
        """Let an action come to its end, so that its place is free again."""
        attempt = Attempt(done.incident_id, done.call.name, done.call.digest, (), self.clock.now())
        await self.state.attempts.end(attempt, outcome, detail={}, lease=None)
