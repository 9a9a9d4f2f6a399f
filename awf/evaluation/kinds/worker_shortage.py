"""More requests arrive than the workers can do: more workers help, which are asked for."""

from __future__ import annotations

from awf.core.incidents import Target
from awf.evaluation.kind import ERRORS, MISSING, POISON, SECOND, Kind, nowhere
from awf.evaluation.plant import Plant
from awf.evaluation.truth import EVERYWHERE, Help, Truth


def truth(_: Plant, __: str) -> Truth:
    helps = (Help("scale_workers", frozenset({EVERYWHERE})),)
    return Truth(frozenset({"worker_saturation"}), (Target(),), helps)


SPEC = Kind(
    "worker_shortage",
    targets=nowhere,
    truth=truth,
    fault="worker_shortage",
    watch_s=240.0,
    noise=MISSING | {ERRORS, POISON, SECOND},
)
