"""A provider is down, with all agents that run on it: agents at other providers help."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import FLAPPING, MISSING, PLAIN, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, stand_ins


def targets(plant: Plant) -> list[str]:
    """Providers of several agents: of a single one nobody can say which of the two is down."""
    providers = sorted({plant.providers[agent] for agent in plant.agents if agent in plant.providers})
    return [name for name in providers if len(plant.at_provider(name)) > 1]


def truth(plant: Plant, target: str) -> Truth:
    helps = stand_ins(plant, plant.at_provider(target))
    return Truth(frozenset({"provider_outage"}), (Target(provider=target),), helps)


SPEC = Kind(
    "provider_outage",
    targets=targets,
    truth=truth,
    fault="provider_outage",
    noise=PLAIN | MISSING | {SECOND, FLAPPING},
)
