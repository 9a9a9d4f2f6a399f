"""An agent answers, many seconds late: another agent helps; more workers or more time only bear it."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import MISSING, PLAIN, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import HARMLESS, Truth, stand_ins

# Only these may take as long without running into a timeout.
PATIENT = ("writer-llm", "writer-backup", "reviewer-llm")


def truth(plant: Plant, target: str) -> Truth:
    return Truth(
        frozenset({"agent_latency"}),
        (Target(agent_id=target),),
        stand_ins(plant, [target]),
        HARMLESS | {"increase_timeout", "scale_workers"},
    )


SPEC = Kind(
    "agent_slow",
    targets=lambda _: PATIENT,
    truth=truth,
    fault="agent_slow",
    noise=PLAIN | MISSING | {SECOND},
)
