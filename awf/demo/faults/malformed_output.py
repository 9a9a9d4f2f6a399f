"""One agent answers with text cut short; it does not fail, the steps after it do."""

from __future__ import annotations

from awf.core.types import AgentId
from awf.demo.fault import Fault
from awf.demo.world import AGENT, DemoWorld


def start(world: DemoWorld, target: str, level: float) -> None:
    world.garbled[AgentId(target)] = level


def stop(world: DemoWorld, target: str) -> None:
    world.garbled.pop(AgentId(target), None)


SPEC = Fault(
    "malformed_output",
    "Agent {target} cuts {level:.0%} of its answers short: the next steps cannot read them (validation_error).",
    start,
    stop,
    aims_at=AGENT,
    target="writer-llm",
    levels=(0.6, 1.0),
)
