"""More executions arrive than usual, and the workers can do them: nothing is wrong."""

from __future__ import annotations

from awf.demo.fault import Fault
from awf.demo.world import DemoWorld


def start(world: DemoWorld, _: str, level: float) -> None:
    world.arrival_factor = level


def stop(world: DemoWorld, _: str) -> None:
    world.arrival_factor = 1.0


SPEC = Fault(
    "noise_burst", "Executions arrive {level:.1f} times as fast, no harm.", start, stop, levels=(1.2, 1.6)
)
