"""histogram_quantile over classic buckets (promql/quantile.go, `bucketQuantile`); no native histograms."""

from __future__ import annotations

import numpy as np

from awf.embedded.promql.values import (
    NAME,
    Bools,
    Floats,
    Labels,
    Vector,
    any_groups,
    empty,
    group,
    key,
    without,
)

_LE = "le"
_SMALL = 1e-12  # differences between neighbouring counts below this ratio are rounding errors


def histogram_quantile(fraction: Floats, vector: Vector) -> Vector:
    """Return one series per set of buckets: the quantile at each step."""
    bounds = np.array([_bound(labels) for labels in vector.labels])
    buckets = vector.rows(~np.isnan(bounds)) if len(vector) else vector
    bounds = bounds[~np.isnan(bounds)]
    if not len(buckets):
        return empty(vector.values.shape[1])
    ids, firsts = group(key(without(labels, (NAME, _LE))) for labels in buckets.labels)
    present = any_groups(buckets.present, ids, len(firsts))
    values = np.full(present.shape, np.nan)
    order = np.lexsort((bounds, ids))
    edges = np.searchsorted(ids[order], np.arange(len(firsts) + 1))
    for number in range(len(firsts)):
        rows = order[edges[number] : edges[number + 1]]
        values[number] = _quantiles(fraction, bounds[rows], buckets.values[rows], buckets.present[rows])
    labels = [without(buckets.labels[first], (NAME, _LE)) for first in firsts]
    return Vector(labels, values, present)


def _bound(labels: Labels) -> float:
    """Return a bucket's upper bound, NaN when the series is not a bucket."""
    try:
        return float(labels.get(_LE, ""))
    except ValueError:
        return float("nan")


def _quantiles(fraction: Floats, bounds: Floats, counts: Floats, present: Bools) -> Floats:
    """Return the quantile at each step. Steps with the same set of buckets are computed together."""
    result = np.full(counts.shape[1], np.nan)
    if present.all():
        return _of_complete(fraction, bounds, counts)
    patterns, which = np.unique(present, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        here = patterns[:, number]
        steps = np.flatnonzero(which.ravel() == number)
        if here.any():
            result[steps] = _of_complete(fraction[steps], bounds[here], counts[here][:, steps])
    return result


def _of_complete(fraction: Floats, bounds: Floats, counts: Floats) -> Floats:
    bounds, first = np.unique(bounds, return_index=True)
    counts = np.add.reduceat(counts, first, axis=0)  # equal bounds spelled differently are one bucket
    if len(bounds) < 2 or bounds[-1] != np.inf:
        result = np.full(counts.shape[1], np.nan)
    else:
        result = _interpolated(fraction, bounds, _monotonic(counts))
    result = np.where(fraction < 0, -np.inf, np.where(fraction > 1, np.inf, result))
    return np.where(np.isnan(fraction), np.nan, result)


def _monotonic(counts: Floats) -> Floats:
    """Remove decreases and tiny differences between neighbouring buckets."""
    fixed = counts.copy()
    for row in range(1, len(fixed)):
        previous, current = fixed[row - 1], fixed[row]
        small = np.abs(current - previous) <= _SMALL * (np.abs(current) + np.abs(previous))
        fixed[row] = np.where((current < previous) | small, previous, current)
    return fixed


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
