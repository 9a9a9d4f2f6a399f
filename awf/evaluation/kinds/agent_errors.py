"""An agent fails most of its calls. Where another can do its steps, that helps; else it is for people."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import FLAPPING, MISSING, PLAIN, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, stand_ins


def truth(plant: Plant, target: str) -> Truth:
    return Truth(frozenset({"agent_error"}), (Target(agent_id=target),), stand_ins(plant, [target]))


SPEC = Kind(
    "agent_errors",
    targets=lambda plant: plant.agents,
    truth=truth,
    fault="agent_errors",
    noise=PLAIN | MISSING | {SECOND, FLAPPING},
)
