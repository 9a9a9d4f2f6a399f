"""A step's own code is wrong: it fails whoever does it, so a fallback agent does not help."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import MISSING, PLAIN, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth


def truth(_: Plant, target: str) -> Truth:
    workflow_id, step_id = target.split("/")
    return Truth(frozenset({"workflow_failure"}), (Target(workflow_id=workflow_id, step_id=step_id),))


SPEC = Kind(
    "step_bug",
    targets=lambda plant: [place.name for place in plant.places if place.fallback],
    truth=truth,
    fault="step_bug",
    noise=PLAIN | MISSING,
)
