"""A small system under watch: engines, telemetry that a test bends, and a watcher on state in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from awf.agents.investigation import Investigator
from awf.agents.watcher import WatcherAgent, WatcherConfig, WatcherParts
from awf.core import semconv as sc
from awf.core.counters import Counters
from awf.core.incidents import Alert, Incident
from awf.core.registry import discover
from awf.core.types import (
    AgentId,
    AgentManifest,
    EngineId,
    EngineInfo,
    StepId,
    StepInfo,
    WorkflowId,
    WorkflowInfo,
)
from awf.remediation.playbook import PlaybookRules
from awf.remediation.policy import RulePolicy, default_policy
from awf.remediation.runner import ActionRunner
from awf.remediation.spec import ActionSpec, RemediationConfig, Tools
from awf.state.state import State
from awf.testing import EPOCH, FakeClock, FakeControls, FakePeople, FakeTelemetry, counter, gauge

ALERT_AT = EPOCH
FAULT_AT = EPOCH - timedelta(seconds=40)
NOW = EPOCH + timedelta(seconds=15)
BEGIN = EPOCH - timedelta(minutes=20)
LATER = EPOCH + timedelta(hours=5)
IN_MEMORY = "sqlite:///:memory:"

STEPS = {
    ("research", "draft"): ("writer", "writer-backup", "anthropic"),
    ("research", "check"): ("checker", "local", "google"),
    ("research", "fetch"): ("fetcher", None, ""),
    ("triage", "classify"): ("classifier", "local", "openai"),
    ("triage", "plan"): ("planner", "writer-backup", "openai"),
}


def engine(workers: int = 4) -> EngineInfo:
    workflows = tuple(
        WorkflowInfo(
            WorkflowId(name),
            name,
            tuple(
                StepInfo(StepId(step), AgentId(agent), fallback_agent_id=fallback and AgentId(fallback))
                for (workflow, step), (agent, fallback, _) in STEPS.items()
                if workflow == name
            ),
        )
        for name in ("research", "triage")
    )
    names = {agent for agent, _, _ in STEPS.values()} | {"writer-backup", "local"}
    agents = tuple(AgentManifest(AgentId(name), name, "1.0") for name in sorted(names))
    return EngineInfo(EngineId("demo"), workflows, agents, workers)


def alert(name: str = "AWFAgentErrors", *, status: str = "firing", **labels: str) -> Alert:
    severity = labels.pop("severity", "critical")
    return Alert(
        fingerprint="-".join([name, *labels.values()]),
        status=status,
        starts_at=ALERT_AT,
        labels={"alertname": name, "severity": severity, **labels},
        annotations={"summary": f"{name} {' '.join(labels.values())}"},
    )


def healthy(telemetry: FakeTelemetry, *, except_agents: tuple[str, ...] = ()) -> None:
    """Every step once every two seconds, without trouble, as far back as anyone looks."""
    for (workflow, step), (agent, _, provider) in STEPS.items():
        if agent in except_agents:
            continue
        agent_works(telemetry, agent, provider, (BEGIN, 0.5, 0.0))
        step_works(telemetry, workflow, step, agent, (BEGIN, 0.5, 400.0))
    for workflow in ("research", "triage"):
        telemetry.add(sc.WORKFLOWS, counter((BEGIN, 0.5)), workflow_id=workflow, status="completed")
        telemetry.add(sc.WORKFLOWS, counter((BEGIN, 0.0)), workflow_id=workflow, status="failed")
    telemetry.add(sc.EVENTS, counter((BEGIN, 10.0)), event_type="agent.completed")


def queue(telemetry: FakeTelemetry, *pending: tuple[datetime, float], workers: float = 4) -> None:
    telemetry.add(sc.EXECUTIONS_PENDING, gauge(*(pending or ((BEGIN, 0.0),))))
    telemetry.add(sc.EXECUTIONS_ACTIVE, gauge((BEGIN, workers if pending else 1.0)))
    telemetry.add(sc.WORKERS, gauge((BEGIN, workers)))


def agent_works(
    telemetry: FakeTelemetry, agent: str, provider: str, *phases: tuple[datetime, float, float]
) -> None:
    """Phases: (from when, invocations per second, failed share)."""
    good = counter(*((at, rate * (1 - share)) for at, rate, share in phases))
    bad = counter(*((at, rate * share) for at, rate, share in phases))
    telemetry.add(sc.AGENT_INVOCATIONS, good, agent_id=agent, status="completed")
    telemetry.add(sc.AGENT_INVOCATIONS, bad, agent_id=agent, status="failed")
    telemetry.add(sc.TOKENS, counter((BEGIN, 100.0)), agent_id=agent)
    if provider:
        telemetry.add(sc.COST, counter((BEGIN, 0.01)), agent_id=agent, provider=provider)


def step_works(
    telemetry: FakeTelemetry,
    workflow: str,
    step: str,
    agent: str,
    *phases: tuple[datetime, float, float],
    status: str = "completed",
) -> None:
    """Phases: (from when, runs per second, mean milliseconds)."""
    labels = {"workflow_id": workflow, "step_id": step, "agent_id": agent, "status": status}
    telemetry.add(f"{sc.STEP_DURATION}_count", counter(*((at, rate) for at, rate, _ in phases)), **labels)
    telemetry.add(f"{sc.STEP_DURATION}_sum", counter(*((at, rate * ms) for at, rate, ms in phases)), **labels)


def failures(
    telemetry: FakeTelemetry,
    workflow: str,
    step: str,
    agent: str,
    kind: str,
    *,
    provider: str = "",
    count: int = 20,
) -> None:
    for number in range(count):
        telemetry.add_log(
            f"agent {agent} failed in {80 + number} ms for step {step}: provider returned 502 ({kind})",
            FAULT_AT + timedelta(seconds=2 * number),
            service_name="awf-demo", level="warn", event_type="agent.failed", workflow_id=workflow,
            step_id=step, agent_id=agent, error_type=kind, provider=provider, execution_id=f"exe_{number}",
        )  # fmt: skip


def failing_writer(telemetry: FakeTelemetry, *, recovers_at: datetime | None = None) -> None:
    """The writer fails 95% with its fallback doing the step; from `recovers_at` on it is bypassed."""
    healthy(telemetry, except_agents=("writer",))
    queue(telemetry)
    end = recovers_at or LATER
    agent_works(telemetry, "writer", "anthropic", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.0, 0.95), (end, 0.0, 0.0))
    step_works(telemetry, "research", "draft", "writer", (BEGIN, 0.5, 600.0), (FAULT_AT, 0.0, 0.0))
    step_works(telemetry, "research", "draft", "writer-backup", (FAULT_AT, 0.5, 1300.0), (end, 0.5, 700.0))
    telemetry.add(
        sc.RETRIES, counter((BEGIN, 0.0), (FAULT_AT, 0.5), (end, 0.0)), step_id="draft", agent_id="writer"
    )
    failures(telemetry, "research", "draft", "writer", "upstream_error", provider="anthropic")


@dataclass
class System:
    """Everything a watcher works with, and the watcher."""

    state: State
    clock: FakeClock
    telemetry: FakeTelemetry
    controls: FakeControls
    people: FakePeople
    counters: Counters
    remediation: RemediationConfig
    watcher: WatcherAgent = field(init=False)

    def start(
        self,
        *,
        incidents: Any = None,
        controls: Any = None,
        investigator: Investigator | None = None,
        config: WatcherConfig | None = None,
        policy: RulePolicy | None = None,
        name: str = "watcher",
    ) -> WatcherAgent:
        """Build a watcher on this state: a second one stands for a restart, one of another name for a replica."""
        specs = discover("awf.remediation.actions", ActionSpec)
        tools = Tools(controls or self.controls, self.telemetry, self.people, self.clock, self.remediation)
        policy = policy or default_policy((name, spec.default) for name, spec in specs.items())
        self.watcher = WatcherAgent(
            WatcherParts(
                playbook=PlaybookRules(),
                people=self.people,
                incidents=incidents or self.state.incidents,
                leases=self.state.leases(name, lapse_s=3600),
                approvals=self.state.approvals,
                audit=self.state.audit,
                switch=self.state.switch,
                remediation=ActionRunner(
                    specs, policy=policy, audit=self.state.audit, attempts=self.state.attempts, tools=tools
                ),
                telemetry=self.telemetry,
                investigator=investigator or Investigator(self.telemetry, self.clock),
                config=config or WatcherConfig(),
                clock=self.clock,
                counters=self.counters,
            )
        )
        return self.watcher

    async def alert(self, *alerts: Alert) -> Incident:
        """Deliver alerts, let the watcher do all it can, and return the first incident they belong to."""
        answer = await self.watcher.handle_alert(alerts, b"{}")
        await self.watcher.settled()
        return await self.state.incidents.get(answer["incidents"][0])

    async def incidents(self) -> list[Incident]:
        return list((await self.state.incidents.list(limit=50)).items)

    @property
    def kinds(self) -> list[str]:
        return [change.kind.value for change in self.controls.changes]


@asynccontextmanager
async def open_system(url: str = IN_MEMORY, **options: Any) -> AsyncIterator[System]:
    """Yield a system on state at this URL, whose watcher takes alerts."""
    clock = FakeClock(NOW)
    async with await State.open(url, clock=clock, **options) as state:
        found = System(
            state, clock, FakeTelemetry(clock), FakeControls(engine()), FakePeople(), Counters(),
            RemediationConfig(),
        )  # fmt: skip
        found.start()
        yield found
        await found.watcher.aclose()
