"""One agent no longer answers: its calls hang until their step's timeout."""

from __future__ import annotations

from awf.core.types import AgentId
from awf.demo.fault import Fault
from awf.demo.world import AGENT, DemoWorld


def start(world: DemoWorld, target: str, level: float) -> None:
    world.hanging[AgentId(target)] = level


def stop(world: DemoWorld, target: str) -> None:
    world.hanging.pop(AgentId(target), None)


SPEC = Fault(
    "agent_stall",
    "Agent {target} hangs until its timeout.",
    start,
    stop,
    aims_at=AGENT,
    target="security-scanner",
    levels=(0.6, 1.0),
)
