"""An alert says that a healthy agent fails: nothing may be done about it."""

from __future__ import annotations

from awf.evaluation.kind import MISSING, PLAIN, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth


def truth(_: Plant, __: str) -> Truth:
    return Truth(frozenset({"false_alarm"}), ())


SPEC = Kind(
    "false_alarm",
    targets=lambda plant: plant.replaceable,
    truth=truth,
    noise=PLAIN | MISSING,
)
