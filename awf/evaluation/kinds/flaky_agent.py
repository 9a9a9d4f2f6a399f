"""An agent fails every second call: retries hide it, another agent ends it."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import MISSING, PLAIN, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, stand_ins


def truth(plant: Plant, target: str) -> Truth:
    return Truth(frozenset({"agent_error"}), (Target(agent_id=target),), stand_ins(plant, [target]))


SPEC = Kind(
    "flaky_agent",
    targets=lambda plant: plant.replaceable,
    truth=truth,
    fault="flaky_agent",
    noise=PLAIN | MISSING | {SECOND},
)
