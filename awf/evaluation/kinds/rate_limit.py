"""A provider limits the rate of its agents: agents at other providers help."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import FLAPPING, PLAIN, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, stand_ins


def truth(plant: Plant, target: str) -> Truth:
    helps = stand_ins(plant, plant.at_provider(target))
    return Truth(frozenset({"rate_limit"}), (Target(provider=target),), helps)


SPEC = Kind(
    "rate_limit",
    targets=lambda plant: sorted(
        {plant.providers[agent] for agent in plant.agents if agent in plant.providers}
    ),
    truth=truth,
    fault="rate_limit",
    noise=PLAIN | {SECOND, FLAPPING},  # no metric says how a call failed
)
