"""One agent no longer answers: each call hangs until its step's timeout."""

from __future__ import annotations

from awf.core.types import AgentId
from awf.demo.fault import Fault
from awf.demo.world import DemoWorld

TARGET = "security-scanner"


def start(world: DemoWorld, target: str | None) -> None:
    world.stalled.add(AgentId(target or TARGET))


def stop(world: DemoWorld, target: str | None) -> None:
    world.stalled.discard(AgentId(target or TARGET))


SPEC = Fault("agent_stall", f"Agent {TARGET} hangs until its timeout.", start, stop)
