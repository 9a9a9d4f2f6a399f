"""A real engine at work, linked to a real server, for tests of what reaches and changes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from awf.core.actions import WorkOrder
from awf.core.incidents import ActionCall, Approval, ApprovalStatus
from awf.core.registry import discover
from awf.core.types import (
    AgentId,
    AgentManifest,
    ApprovalId,
    ControlKind,
    ControlOutcome,
    EngineInfo,
    ExecutionId,
    ExecutionRecord,
    IncidentId,
    StepId,
    WorkflowId,
)
from awf.errors import NotFound
from awf.orchestration import (
    AgentError,
    AgentResult,
    Controls,
    Engine,
    EventEmitter,
    Registry,
    RetryPolicy,
    Step,
    StepContext,
    Workflow,
)
from awf.orchestration.link import EngineLink
from awf.remediation.policy import default_policy
from awf.remediation.runner import ActionRunner
from awf.remediation.spec import ActionSpec, RemediationConfig, Tools
from awf.testing import FakeClock, FakePeople, FakeTelemetry
from tests.contract._server import Server

SPECS = discover("awf.remediation.actions", ActionSpec)
MEMORY = "sqlite:///:memory:"
TIMEOUT_S = 2.0


@dataclass
class World:
    """How the agents behave, and what they were asked to do."""

    failing: set[str] = field(default_factory=set)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    seen: list[StepContext] = field(default_factory=list)

    async def act(self, context: StepContext) -> AgentResult:
        self.seen.append(context)
        gate = self.gates.get(context.agent_id)
        if gate is not None:
            await gate.wait()
        await asyncio.sleep(0.001)
        if context.agent_id in self.failing:
            raise AgentError("the provider said no")
        return AgentResult({"by": context.agent_id})

    @contextlib.contextmanager
    def holding(self, agent_id: str) -> Iterator[None]:
        """Keep an agent from answering within the block."""
        self.gates[agent_id] = asyncio.Event()
        try:
            yield
        finally:
            self.gates.pop(agent_id).set()

    def calls(self, agent_id: str) -> list[StepContext]:
        return [context for context in self.seen if context.agent_id == agent_id]


def registry(world: World) -> Registry:
    """gather (reader) -> draft (writer, else backup; two attempts) -> publish (publisher)."""
    found = Registry()
    for name in ("reader", "writer", "backup", "publisher"):
        found.add_agent(AgentManifest(AgentId(name), name, "1"), world.act)
    quick = RetryPolicy(1, backoff_s=0.01)
    steps = (
        Step(StepId("gather"), AgentId("reader"), timeout_s=60.0),
        Step(
            StepId("draft"), AgentId("writer"), (StepId("gather"),), timeout_s=TIMEOUT_S, retry=quick,
            fallback_agent_id=AgentId("backup"),
        ),
        Step(StepId("publish"), AgentId("publisher"), (StepId("draft"),)),
    )  # fmt: skip
    found.add_workflow(Workflow(WorkflowId("report"), steps))
    return found


@dataclass
class Member:
    """One engine, which may lose its link and find it again."""

    engine: Engine
    emitter: EventEmitter
    server: Server
    _link: asyncio.Task[None] | None = None

    @property
    def controls(self) -> Controls:
        return self.engine.controls

    async def connect(self, way: Any = None) -> None:
        """Link up with the server, by its own directory or by another way to it."""
        way = way or self.server.directory
        link = EngineLink(self.engine, way, way, heartbeat_s=0.1)
        self._link = asyncio.create_task(link.run())
        await until(self.is_known)

    async def disconnect(self) -> None:
        if self._link is not None:
            self._link.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._link
            self._link = None

    async def is_known(self) -> bool:
        return self.engine.id in [each.id for each in await self.server.state.controls.engines()]

    async def aclose(self) -> None:
        await self.engine.aclose(0.0)
        await self.disconnect()
        await self.emitter.aclose(1.0)


@dataclass
class Plant:
    """Everything between a hypothesis and a changed engine."""

    server: Server
    world: World = field(default_factory=World)
    members: list[Member] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime.now(UTC)))
    people: FakePeople = field(default_factory=FakePeople)

    def __post_init__(self) -> None:
        self.telemetry = FakeTelemetry(self.clock)
        self.start = self.clock.now()

    @property
    def engine(self) -> Engine:
        return self.members[0].engine

    async def add_engine(self, name: str, *, workers: int = 2, path: Path | None = None) -> Member:
        found, emitter = registry(self.world), EventEmitter()
        engine = Engine(found, emitter, Controls(found, path), workers=workers, engine_id=name)
        member = Member(engine, emitter, self.server)
        self.members.append(member)
        await member.connect()
        return member

    def runner(self, **config: Any) -> ActionRunner:
        state = self.server.state
        tools = Tools(state.controls, self.telemetry, self.people, self.clock, RemediationConfig(**config))
        policy = default_policy((name, spec.default) for name, spec in SPECS.items())
        return ActionRunner(SPECS, policy=policy, audit=state.audit, attempts=state.attempts, tools=tools)

    async def order(self, kind: ControlKind, arguments: dict[str, Any], *, key: str = "") -> ControlOutcome:
        return await self.server.state.controls.submit(
            kind, arguments, requested_by="test", idempotency_key=key or f"{kind}{arguments}"
        )

    async def info(self) -> EngineInfo:
        return (await self.server.state.controls.engines())[0]

    async def fail_once(self) -> ExecutionId:
        """Let one execution fail at its draft, as the server knows too."""
        self.world.failing |= {"writer", "backup"}
        failed = await self.engine.submit("report", {"subject": "tides"})
        await self.engine.wait(failed)
        self.world.failing.clear()
        await self.until_server_knows(failed, "failed")
        return failed

    async def until_server_knows(self, execution_id: str, status: str) -> ExecutionRecord:
        async def is_known() -> bool:
            try:
                found = await self.server.state.executions.get(ExecutionId(execution_id))
            except NotFound:
                return False
            return found.status.value == status

        await until(is_known)
        return await self.server.state.executions.get(ExecutionId(execution_id))


@contextlib.asynccontextmanager
async def plant(via: str, *, url: str = MEMORY, **options: Any) -> AsyncIterator[Plant]:
    """Yield a running plant with one engine, `e1`, of two workers."""
    found = Plant(Server(via, url, **options))
    await found.server.start()
    try:
        await found.add_engine("e1")
        yield found
    finally:
        for member in found.members:
            await member.aclose()
        await found.server.aclose()


def work(call: ActionCall, incident: str = "inc_1") -> WorkOrder:
    """Return the order to take an action, with a person's approval of exactly it."""
    at = datetime.now(UTC)
    approval = Approval(
        id=ApprovalId("apr_1"), incident_id=IncidentId(incident), status=ApprovalStatus.APPROVED, action=call,
        summary="", why_asked="", required_role="approver", created_at=at,
        expires_at=at + timedelta(hours=1), decided_by="ana",
    )  # fmt: skip
    return WorkOrder(IncidentId(incident), call, "critical", "it fails", approval=approval)


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, at most ten seconds."""
    async with asyncio.timeout(10):
        while not await reached():
            await asyncio.sleep(0.01)
