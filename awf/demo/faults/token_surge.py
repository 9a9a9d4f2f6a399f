"""One agent reads and writes several times as many tokens: a prompt that grew, answers without an end."""

from __future__ import annotations

from awf.core.types import AgentId
from awf.demo.fault import Fault
from awf.demo.world import AGENT, DemoWorld


def start(world: DemoWorld, target: str, level: float) -> None:
    world.lengths[AgentId(target)] = level


def stop(world: DemoWorld, target: str) -> None:
    world.lengths.pop(AgentId(target), None)


SPEC = Fault(
    "token_surge",
    "Agent {target} uses {level:.0f} times as many tokens.",
    start,
    stop,
    aims_at=AGENT,
    target="writer-llm",
    levels=(5.0, 10.0),
    intensity=0.5,
)
