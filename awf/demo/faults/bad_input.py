"""A share of the requests for one workflow is malformed: no agent can read them."""

from __future__ import annotations

from awf.core.types import WorkflowId
from awf.demo.fault import Fault
from awf.demo.world import WORKFLOW, DemoWorld


def start(world: DemoWorld, target: str, level: float) -> None:
    world.bad_inputs[WorkflowId(target)] = level


def stop(world: DemoWorld, target: str) -> None:
    world.bad_inputs.pop(WorkflowId(target), None)


SPEC = Fault(
    "bad_input",
    "{level:.0%} of the requests for {target} lack their subject (validation_error).",
    start,
    stop,
    aims_at=WORKFLOW,
    target="support-triage",
    levels=(0.4, 0.9),
    intensity=0.5,
)
