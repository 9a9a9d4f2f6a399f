"""Executions arrive faster than four workers can serve them; eight can, and clear the queue as well."""

from __future__ import annotations

from awf.demo.fault import Fault
from awf.demo.world import DemoWorld

# At 1/s and about 1.7 s an execution four workers serve 2.4/s and eight 4.7/s: these lie between.
LEAST, FACTOR = 3.0, 3.5


def start(world: DemoWorld, _: str, level: float) -> None:
    world.arrival_factor = level


def stop(world: DemoWorld, _: str) -> None:
    world.arrival_factor = 1.0


SPEC = Fault(
    "worker_shortage",
    "Executions arrive {level:g} times as fast as usual.",
    start,
    stop,
    levels=(LEAST, FACTOR),
)
