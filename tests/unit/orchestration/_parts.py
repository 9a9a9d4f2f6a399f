"""Agents, registries and a recorder that the orchestration tests build their engines from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from awf.core.types import AgentId, AgentManifest, ChangeId, ControlChange, ControlKind, StepId, WorkflowId
from awf.orchestration import (
    AgentResult,
    Controls,
    Engine,
    EventEmitter,
    EventType,
    Registry,
    RetryPolicy,
    Step,
    StepContext,
    Workflow,
    WorkflowEvent,
)

AgentFunction = Callable[[StepContext], Awaitable[AgentResult]]


class FakeClock:
    """Time that moves only by sleeping; each sleep returns at once and is remembered."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)


async def echo(context: StepContext) -> AgentResult:
    return AgentResult(output={"by": context.agent_id, "from": dict(context.outputs)})


async def hang(context: StepContext) -> AgentResult:
    await asyncio.Event().wait()
    raise AssertionError(context)


def make_registry(agents: dict[str, AgentFunction], *workflows: Workflow) -> Registry:
    registry = Registry()
    for name, run in agents.items():
        registry.add_agent(AgentManifest(AgentId(name), name, "1.0", framework="python"), run)
    for workflow in workflows:
        registry.add_workflow(workflow)
    return registry


def make_step(name: str, agent: str = "a", *needs: str, **options: Any) -> Step:
    if "fallback" in options:
        options["fallback_agent_id"] = AgentId(options.pop("fallback"))
    if "retries" in options:
        options["retry"] = RetryPolicy(options.pop("retries"), backoff_s=1.0, jitter=0.0)
    return Step(StepId(name), AgentId(agent), tuple(StepId(n) for n in needs), **options)


def make_workflow(name: str, *steps: Step) -> Workflow:
    return Workflow(WorkflowId(name), steps)


@dataclass
class Bench:
    """An engine with everything around it, and the events it emitted."""

    registry: Registry
    workers: int = 4
    controls: Controls | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[WorkflowEvent] = field(default_factory=list)

    async def __aenter__(self) -> Bench:
        self.emitter = EventEmitter()
        self.emitter.subscribe(self.events.append)
        self.controls = self.controls or Controls(self.registry)
        self.engine = Engine(
            self.registry, self.emitter, self.controls, workers=self.workers, engine_id="e1",
            clock=self.clock,
        )  # fmt: skip
        self._token = self.controls.last_token
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.aclose(timeout_s=0.0)
        await self.emitter.aclose(timeout_s=1.0)

    def order(self, kind: ControlKind, **arguments: Any) -> ControlChange:
        self._token += 1
        return ControlChange(
            ChangeId(f"c{self._token}"), kind, arguments, self._token, "test", self.clock.now()
        )

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    def kinds(self, step: str | None = None) -> list[EventType]:
        return [event.type for event in self.events if step is None or event.step_id == step]

    def of(self, kind: EventType) -> list[WorkflowEvent]:
        return [event for event in self.events if event.type is kind]
