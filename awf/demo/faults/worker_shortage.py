"""Executions arrive faster than four workers can serve them; eight can, and clear the queue as well."""

from __future__ import annotations

from awf.demo.fault import Fault
from awf.demo.world import DemoWorld

# At 1/s and about 1.7 s an execution four workers serve 2.4/s and eight 4.7/s: this lies between.
FACTOR = 3.5


def start(world: DemoWorld, _: str | None) -> None:
    world.arrival_factor = FACTOR


def stop(world: DemoWorld, _: str | None) -> None:
    world.arrival_factor = 1.0


SPEC = Fault("worker_shortage", "Executions arrive 3.5 times as fast as usual.", start, stop)
