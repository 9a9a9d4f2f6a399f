"""Series while they are computed: one value a step, NaN where there is none, by their labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from awf.embedded.traceql.results import Attributes, Series
from awf.embedded.traceql.values import Value, text_of

METRIC_NAME = "__name__"

Values = NDArray[np.float64]
LabelKey = tuple[tuple[str, type, Value], ...]


@dataclass(frozen=True, slots=True)
class Line:
    labels: Attributes
    values: Values


Lines = dict[LabelKey, Line]


def key_of(labels: Attributes) -> LabelKey:
    """Return what makes a line one of its own: all labels but the name of its function."""
    return tuple((name, type(value), value) for name, value in labels if name != METRIC_NAME)


def by_key(lines: Iterable[Line]) -> Lines:
    return {key_of(line.labels): line for line in lines}


def sparse(points: dict[int, float], count: int, *, fill: float = np.nan) -> Values:
    """Return one value for each of `count` steps."""
    values = np.full(count, fill)
    values[list(points)] = list(points.values())
    return values


def to_series(lines: Iterable[Line], timestamps_ms: list[int]) -> tuple[Series, ...]:
    """Return the lines that have points, in Tempo's order: few labels first, then by their text."""
    found = []
    for line in lines:
        kept = np.flatnonzero(~np.isnan(line.values))
        if kept.size:
            samples = tuple((timestamps_ms[at], float(line.values[at])) for at in kept.tolist())
            found.append(Series(line.labels, samples))
    return tuple(sorted(found, key=_order))


def _order(series: Series) -> tuple[int, tuple[tuple[str, str], ...]]:
    return len(series.labels), tuple((name, text_of(value)) for name, value in series.labels)
