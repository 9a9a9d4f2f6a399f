"""An agent runs on a dearer model: people decide whether that is worth it."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import ERRORS, MISSING, POISON, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth

DEARER = ("fact-checker", "planner-llm", "reviewer-llm", "triage-llm", "writer-llm")
"""Agents whose provider has a model that costs at least three times as much."""


def truth(_: Plant, target: str) -> Truth:
    return Truth(frozenset({"cost_surge"}), (Target(agent_id=target),))


SPEC = Kind(
    "cost_surge",
    targets=lambda _: DEARER,
    truth=truth,
    fault="cost_surge",
    warm_up_s=95.0,
    watch_s=170.0,
    noise=MISSING | {ERRORS, POISON},
)
