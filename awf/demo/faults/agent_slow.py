"""One agent takes many times as long, and does not fail."""

from __future__ import annotations

from awf.core.types import AgentId
from awf.demo.fault import Fault
from awf.demo.world import AGENT, DemoWorld


def start(world: DemoWorld, target: str, level: float) -> None:
    world.delays[AgentId(target)] = level


def stop(world: DemoWorld, target: str) -> None:
    world.delays.pop(AgentId(target), None)


SPEC = Fault(
    "agent_slow",
    "Agent {target} takes {level:.0f} s longer for each answer.",
    start,
    stop,
    aims_at=AGENT,
    target="writer-llm",
    levels=(9.0, 14.0),
    intensity=0.6,
)
