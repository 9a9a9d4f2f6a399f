"""A whole provider refuses: every agent that runs on it is told 429."""

from __future__ import annotations

from awf.demo.fault import Fault
from awf.demo.world import DemoWorld

TARGET = "openai"


def start(world: DemoWorld, target: str | None) -> None:
    world.limited_providers.add(target or TARGET)


def stop(world: DemoWorld, target: str | None) -> None:
    world.limited_providers.discard(target or TARGET)


SPEC = Fault("rate_limit", f"Provider {TARGET} answers 429 to every call (rate_limit).", start, stop)
