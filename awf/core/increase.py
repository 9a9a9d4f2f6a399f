"""How much counters rose: arithmetic over sampled series, without extrapolation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from awf.core.ports import Series


@dataclass(frozen=True, slots=True)
class Rises:
    """One counter's steps: (unix seconds, how much it rose since the sample before)."""

    labels: Mapping[str, str]
    steps: tuple[tuple[float, float], ...]

    def total(self, start: float, end: float) -> float:
        """Return how much it rose in (start, end]."""
        return sum(rise for at, rise in self.steps if start < at <= end)


def rises(series: Sequence[Series]) -> list[Rises]:
    """Return the steps of counters that one query returned.

    A fall is a restart and counts as nothing. A series that begins later than the others was born at zero;
    the first sample of the others is their starting point.
    """
    began = min((each.points[0][0] for each in series if each.points), default=0.0)
    return [Rises(each.labels, tuple(_steps(each.points, began))) for each in series if each.points]


def total(found: Sequence[Rises], start: float, end: float, labels: Mapping[str, str]) -> float:
    """Return how much the counters with these labels rose in (start, end]."""
    return sum(
        each.total(start, end)
        for each in found
        if all(each.labels.get(name, "") == value for name, value in labels.items())
    )


def _steps(points: Sequence[tuple[float, float]], began: float) -> Iterator[tuple[float, float]]:
    before = points[0][1]
    if points[0][0] > began:
        yield points[0]
    for at, value in points[1:]:
        yield at, max(0.0, value - before)
        before = value
