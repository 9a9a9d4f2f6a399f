"""A few calls of every agent fail, more than usual and too few to matter: retries make them good."""

from __future__ import annotations

from awf.demo.fault import Fault
from awf.demo.world import DemoWorld


def start(world: DemoWorld, _: str, level: float) -> None:
    world.stray_error_rate = level


def stop(world: DemoWorld, _: str) -> None:
    world.stray_error_rate = 0.0


SPEC = Fault(
    "noise_errors", "{level:.1%} of all calls fail here and there.", start, stop, levels=(0.01, 0.03)
)
