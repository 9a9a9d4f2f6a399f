from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

from awf.core.types import AgentId, AgentManifest, StepId, WorkflowId
from awf.demo.traffic import _SHARES, MAX_PENDING, Traffic
from awf.demo.world import DemoWorld
from awf.orchestration import (
    AgentResult,
    Controls,
    Engine,
    EventEmitter,
    Registry,
    Step,
    StepContext,
    Workflow,
)


class FastClock:
    """Adds up what it is asked to sleep, and does not."""

    def __init__(self) -> None:
        self.slept_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept_s += seconds
        await asyncio.sleep(0)


async def hang(context: StepContext) -> AgentResult:
    await asyncio.Event().wait()
    return AgentResult()


async def run(world: DemoWorld, until: int) -> tuple[Traffic, Engine, FastClock]:
    """Let traffic run until so many executions wait in an engine that finishes none."""
    found = Registry()
    found.add_agent(AgentManifest(AgentId("a"), "a", "1"), hang)
    for name in _SHARES:
        found.add_workflow(Workflow(WorkflowId(name), (Step(StepId("s"), AgentId("a")),)))
    engine, clock = Engine(found, EventEmitter(), Controls(found), workers=1), FastClock()
    traffic = Traffic(engine, world, 2.0, clock=clock)
    task = asyncio.create_task(traffic.run())
    async with asyncio.timeout(10):
        while traffic.started < until:
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return traffic, engine, clock


async def test_the_rate_is_kept_and_all_workflows_are_asked_for() -> None:
    _, engine, clock = await run(DemoWorld(), 30)
    await engine.aclose(0.0)
    assert {record.workflow_id for record in engine.executions()} == set(_SHARES)
    records = len(engine.executions())
    assert 0.8 * records / 2.0 < clock.slept_s < 1.2 * (records + 1) / 2.0


async def test_nobody_queues_behind_a_long_queue() -> None:
    world = DemoWorld(arrival_factor=100.0)
    traffic, engine, _ = await run(world, MAX_PENDING)
    assert sum(engine.snapshot().pending.values()) <= MAX_PENDING
    assert traffic.started <= MAX_PENDING + 1
    await engine.aclose(0.0)
