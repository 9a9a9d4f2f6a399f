"""A kind of trouble: what the demo or the harness does, at which targets, and what is then true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth

NO_LOGS, NO_TRACES, BURST, ERRORS, POISON = (
    "no_logs",
    "no_traces",
    "noise_burst",
    "noise_errors",
    "noise_poison",
)
SECOND, FLAPPING = "second_fault", "flapping"
PLAIN = frozenset({BURST, ERRORS, POISON})
MISSING = frozenset({NO_LOGS, NO_TRACES})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, one file in `kinds`. `fault` is the demo's; without one it is the harness that makes the trouble."""

    name: str
    targets: Callable[[Plant], Sequence[str]]
    truth: Callable[[Plant, str], Truth]
    fault: str = ""
    noise: frozenset[str] = PLAIN  # under which the truth can still be seen in some telemetry
    warm_up_s: float = 0.0  # longer than usual, where rules compare with a while before
    watch_s: float = 0.0  # longer than usual, where an alert is slow by its nature


def nowhere(_: Plant) -> Sequence[str]:
    """The targets of what has none."""
    return ("",)
