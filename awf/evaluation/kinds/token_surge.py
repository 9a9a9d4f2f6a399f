"""An agent uses many more tokens: people decide whether that is worth it."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import ERRORS, MISSING, POISON, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth


def truth(_: Plant, target: str) -> Truth:
    return Truth(frozenset({"token_surge"}), (Target(agent_id=target),))


SPEC = Kind(
    "token_surge",
    targets=lambda plant: [agent for agent in plant.agents if agent in plant.providers],
    truth=truth,
    fault="token_surge",
    warm_up_s=95.0,
    watch_s=170.0,
    noise=MISSING | {ERRORS, POISON},
)
