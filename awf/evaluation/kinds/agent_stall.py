"""An agent's calls hang until their timeout: more time would make it worse, another agent helps."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import MISSING, PLAIN, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, stand_ins


def truth(plant: Plant, target: str) -> Truth:
    return Truth(frozenset({"agent_latency"}), (Target(agent_id=target),), stand_ins(plant, [target]))


SPEC = Kind(
    "agent_stall",
    targets=lambda plant: plant.replaceable,
    truth=truth,
    fault="agent_stall",
    noise=PLAIN | MISSING | {SECOND},
)
