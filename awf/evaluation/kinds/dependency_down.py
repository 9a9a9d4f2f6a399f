"""A system behind several agents is down, and no other agent can do without it: that is for people."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import PLAIN, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth


def truth(plant: Plant, target: str) -> Truth:
    agents = tuple(Target(agent_id=agent) for agent in plant.on(target))
    return Truth(frozenset({"dependency"}), (*agents, Target(provider=target)))


SPEC = Kind(
    "dependency_down",
    targets=lambda plant: sorted(set(plant.dependencies.values())),
    truth=truth,
    fault="dependency_down",
    noise=PLAIN | {SECOND},  # only its errors name it
)
