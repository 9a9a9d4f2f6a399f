"""A new version of an agent is deployed, with a mark as teams leave it, and fails from then on."""

from __future__ import annotations

from awf.demo.fault import Fault, failing
from awf.demo.world import AGENT, DemoWorld

_fail, _recover = failing(AGENT, "invalid_request", "provider returned 400: unknown parameter 'reasoning'")


def start(world: DemoWorld, target: str, level: float) -> None:
    world.announce(f"{target}: new configuration (reasoning: high)")
    _fail(world, target, level)


def stop(world: DemoWorld, target: str) -> None:
    _recover(world, target)
    world.announce(f"{target}: configuration rolled back")


SPEC = Fault(
    "config_change",
    "Agent {target} gets a new configuration and fails {level:.0%} of its calls (invalid_request).",
    start,
    stop,
    aims_at=AGENT,
    target="triage-llm",
    levels=(0.6, 1.0),
)
