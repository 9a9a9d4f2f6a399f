"""Nothing of the engines' telemetry arrives any more: that is for people, and nothing else may be concluded."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import Kind, nowhere
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth


def truth(_: Plant, __: str) -> Truth:
    return Truth(frozenset({"telemetry_gap"}), (Target(),))


SPEC = Kind(
    "telemetry_gap",
    targets=nowhere,
    truth=truth,
    watch_s=170.0,
)
