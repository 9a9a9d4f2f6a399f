"""Classic histograms: quantiles and fractions of their buckets; no native histograms.

Formulas: Prometheus 3, promql/quantile.go (`BucketQuantile`, `BucketFraction`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from awf.embedded.promql.notes import Fixed, Notes
from awf.embedded.promql.selection import Context
from awf.embedded.promql.syntax import Span
from awf.embedded.promql.values import (
    NAME,
    Bools,
    Floats,
    Ints,
    KeptName,
    Labels,
    Vector,
    any_groups,
    format_value,
    group_by,
    names_of,
    without,
)

_LE = "le"
_SMALL = 1e-12  # differences between neighbouring counts below this ratio are rounding errors


@dataclass(frozen=True, slots=True)
class Buckets:
    """Bucket series by histogram: `edges[i]` to `edges[i + 1]` are the rows of histogram i, bounds ascending."""

    vector: Vector
    bounds: Floats
    edges: Ints
    labels: list[Labels]
    present: Bools


def buckets(vector: Vector, notes: Notes, span: Span) -> Buckets:
    """Group series by everything but their bound; what has none is left out, with a warning."""
    bounds = np.array([_bound(labels) for labels in vector.labels])
    is_bucket = ~np.isnan(bounds)
    for row in np.flatnonzero(~is_bucket).tolist():
        labels = vector.labels[row]
        name = labels.get(NAME, "")
        notes.bucket_label(labels.get(_LE, ""), name if isinstance(name, KeptName) else "", span)
    if not is_bucket.all():
        vector, bounds = vector.rows(is_bucket), bounds[is_bucket]
    ids, firsts = group_by(vector.labels, names_of(vector.labels) - {_LE})
    order = np.lexsort((bounds, ids))
    return Buckets(
        vector=vector.rows(order),
        bounds=bounds[order],
        edges=np.searchsorted(ids[order], np.arange(len(firsts) + 1)),
        labels=[without(vector.labels[first], (_LE,)) for first in firsts],
        present=any_groups(vector.present, ids, len(firsts)),
    )


def _bound(labels: Labels) -> float:
    """Return a bucket's upper bound, NaN when the series is not a bucket."""
    try:
        return float(labels.get(_LE, "").replace("_", "?"))
    except ValueError:
        return float("nan")


@dataclass(frozen=True, slots=True)
class _Complete:
    """Cells (histogram times step) that have the same buckets; `counts` has a row a bucket, a column a cell."""

    bounds: Floats
    counts: Floats
    cells: Ints
    steps: Ints

    @property
    def is_closed(self) -> bool:
        return bool(self.bounds[-1] == np.inf)


def _each(found: Buckets, compute: Callable[[_Complete], Floats]) -> Vector:
    """Compute a value for every histogram at every step."""
    values = np.full(found.present.size, np.nan)
    for part in _parts(found):
        values[part.cells] = compute(part)
    return Vector(found.labels, values.reshape(found.present.shape), found.present)


def _parts(found: Buckets) -> Iterator[_Complete]:
    """Yield the cells of all histograms, those with the same buckets together."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for number in range(len(found.labels)):
        alike[found.bounds[found.edges[number] : found.edges[number + 1]].tobytes()].append(number)
    for numbers in alike.values():
        starts = found.edges[numbers]
        width = int(found.edges[numbers[0] + 1] - starts[0])
        rows = (starts + np.arange(width)[:, None]).ravel()  # bucket by bucket
        shape = (width, len(numbers) * found.present.shape[1])
        yield from _alike(
            found.bounds[starts[0] : starts[0] + width],
            found.vector.values[rows].reshape(shape),
            found.vector.present[rows].reshape(shape),
            np.array(numbers),
        )


def _alike(bounds: Floats, counts: Floats, present: Bools, numbers: Ints) -> Iterator[_Complete]:
    """Yield the cells that have the same set of buckets together."""
    width = counts.shape[1] // len(numbers)
    steps = np.tile(np.arange(width), len(numbers))
    cells = np.repeat(numbers, width) * width + steps
    if present.all():
        yield _complete(bounds, counts, cells, steps)
        return
    patterns, which = np.unique(np.packbits(present, axis=0), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        columns = np.flatnonzero(which.ravel() == number)
        here = present[:, columns[0]]
        if here.any():
            yield _complete(bounds[here], counts[here][:, columns], cells[columns], steps[columns])


def _complete(bounds: Floats, counts: Floats, cells: Ints, steps: Ints) -> _Complete:
    """Equal bounds spelled differently are one bucket."""
    distinct, first = np.unique(bounds, return_index=True)
    if len(distinct) < len(bounds):
        counts = np.add.reduceat(counts, first, axis=0)
    return _Complete(distinct, counts, cells, steps)


def quantile(fraction: Floats, found: Buckets, context: Context, span: Span) -> Vector:
    """Return each histogram's quantile at every step."""

    def compute(part: _Complete) -> Floats:
        wanted = fraction[part.steps]
        result = np.full(len(part.steps), np.nan)
        if part.is_closed:
            counts, decreases = _monotonic(part.counts)
            asked = (wanted >= 0) & (wanted <= 1)
            if (decreases & asked).any():
                fixed = _described(part, counts, context.times, asked)
                name = found.labels[int(part.cells[0]) // context.steps].get(NAME, "")
                context.notes.monotonic(fixed, name if isinstance(name, KeptName) else "", span)
            if len(part.bounds) > 1:
                result = _interpolated(wanted, part.bounds, counts)
        result = np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, result))
        return np.where(np.isnan(wanted), np.nan, result)

    return _each(found, compute)


def _monotonic(counts: Floats) -> tuple[Floats, Bools]:
    """Remove decreases and tiny differences between neighbouring buckets; tell where there were decreases."""
    apart = np.diff(counts, axis=0)
    if (apart > _SMALL * 2 * np.abs(counts[1:])).all():
        return counts, np.zeros(counts.shape, dtype=bool)
    fixed = counts.copy()
    decreased = np.zeros(counts.shape, dtype=bool)
    for row in range(1, len(fixed)):
        previous, current = fixed[row - 1], fixed[row]
        small = np.abs(current - previous) <= _SMALL * (np.abs(current) + np.abs(previous))
        decreased[row] = (current < previous) & ~small
        fixed[row] = np.where(decreased[row] | small, previous, current)
    return fixed, decreased


def _described(part: _Complete, counts: Floats, times: Ints, asked: Bools) -> Fixed:
    raised = counts - part.counts
    changed = (raised > _SMALL * 2 * np.abs(counts)) & asked
    rows, columns = np.nonzero(changed)
    moments = times[part.steps[columns]]
    return Fixed(
        first_ms=int(moments.min()),
        last_ms=int(moments.max()),
        lowest=float(part.bounds[rows].min()),
        highest=float(part.bounds[rows].max()),
        most=float(raised[rows, columns].max()),
        samples=len(np.unique(columns)),
    )


def _interpolated(fraction: Floats, bounds: Floats, counts: Floats) -> Floats:
    steps = np.arange(counts.shape[1])
    total = counts[-1]
    rank = fraction * total
    reached = counts[:-1] >= rank
    bucket = np.where(reached.any(axis=0), reached.argmax(axis=0), len(bounds) - 1)
    below = np.maximum(bucket - 1, 0)
    is_first = bucket == 0
    start = np.where(is_first, 0.0, bounds[below])
    under = np.where(is_first, 0.0, counts[below, steps])
    end = bounds[bucket]
    inside = counts[bucket, steps] - under
    value = start + (end - start) * ((rank - under) / inside)
    value = np.where(is_first & (bounds[0] <= 0), bounds[0], value)
    value = np.where(bucket == len(bounds) - 1, bounds[-2], value)
    return np.where((total == 0) | np.isnan(total), np.nan, value)


def fraction(lower: Floats, upper: Floats, found: Buckets) -> Vector:
    """Return which part of each histogram's observations lies between two values, at every step."""

    def compute(part: _Complete) -> Floats:
        if not part.is_closed:
            return np.full(len(part.steps), np.nan)
        low, high = lower[part.steps], upper[part.steps]
        total = part.counts[-1]
        share = (_rank(part, high) - _rank(part, low)) / total
        share = np.where(low >= high, 0.0, share)
        return np.where((total == 0) | np.isnan(low) | np.isnan(high), np.nan, share)

    return _each(found, compute)


def _rank(part: _Complete, value: Floats) -> Floats:
    """Return how many observations are at or below a value, interpolated inside its bucket."""
    steps = np.arange(len(value))
    bucket = np.minimum(np.searchsorted(part.bounds, value, side="left"), len(part.bounds) - 1)
    below = np.maximum(bucket - 1, 0)
    is_first = bucket == 0
    count = part.counts[bucket, steps]
    start = np.where(is_first, -np.inf if part.bounds[0] <= 0 else 0.0, part.bounds[below])
    under = np.where(is_first, 0.0, part.counts[below, steps])
    end = part.bounds[bucket]
    inside = np.where(np.isinf(end), 0.0, (value - start) / (end - start))
    rank = np.where(np.isneginf(start), count, under + (count - under) * inside)
    rank = np.where(value == end, count, np.where(value <= start, under, rank))
    most: Floats = part.counts[-1]
    return np.minimum(rank, most)


def labelled(vector: Vector, label: str, fractions: Floats) -> list[Vector]:
    """Return the vector with its quantile as a label; a quantile that changes from step to step parts it."""
    return [
        Vector(
            [{**labels, label: _written(value)} for labels in vector.labels],
            vector.values,
            vector.present & ((fractions == value) | (np.isnan(fractions) & np.isnan(value))),
        )
        for value in np.unique(fractions).tolist()
    ]


def _written(value: float) -> str:
    """Write a number as OpenMetrics does: with a point."""
    text = format_value(value)
    return text if not np.isfinite(value) or "." in text else f"{text}.0"
