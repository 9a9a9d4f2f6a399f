"""One agent fails almost every time; another agent could do its step."""

from __future__ import annotations

from awf.core.types import AgentId
from awf.demo.fault import Fault
from awf.demo.world import DemoWorld

TARGET = "writer-llm"
ERROR_RATE = 0.95


def start(world: DemoWorld, target: str | None) -> None:
    world.error_rates[AgentId(target or TARGET)] = ERROR_RATE


def stop(world: DemoWorld, target: str | None) -> None:
    world.error_rates.pop(AgentId(target or TARGET), None)


SPEC = Fault("agent_errors", f"Agent {TARGET} fails 95% of its calls (upstream_error).", start, stop)
