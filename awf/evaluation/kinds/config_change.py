"""An agent fails since its new configuration: until people roll it back, another agent helps."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import MISSING, PLAIN, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, stand_ins


def truth(plant: Plant, target: str) -> Truth:
    return Truth(frozenset({"config_change"}), (Target(agent_id=target),), stand_ins(plant, [target]))


SPEC = Kind(
    "config_change",
    targets=lambda plant: [agent for agent in plant.replaceable if agent in plant.providers],
    truth=truth,
    fault="config_change",
    noise=PLAIN | MISSING,  # a second fault would begin at the same mark
)
