"""Requests for a workflow are malformed: no agent can read them, whoever sends them has to be told."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth


def truth(_: Plant, target: str) -> Truth:
    return Truth(frozenset({"bad_input"}), (Target(workflow_id=target),))


SPEC = Kind(
    "bad_input",
    targets=lambda plant: plant.workflows,
    truth=truth,
    fault="bad_input",
)
