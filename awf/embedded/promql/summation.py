"""Sums as Prometheus has them: where large terms cancel, they are added again with its compensation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from awf.embedded.promql.values import Bools, Floats, Ints, count_groups, sum_groups

_ROUNDING = 2e-16
_TOLERATED = 1e-11


def group_sums(values: Floats, present: Bools, ids: Ints, groups: int) -> Floats:
    """Add up the present rows of each group at each step."""
    kept = np.where(present, values, -0.0)  # adding 0 to -0 would lose its sign
    totals = sum_groups(kept, ids, groups)

    def terms(group: int, step: int) -> Floats:
        column: Floats = kept[ids == group, step]
        return column

    if _may_cancel(kept):
        counts = count_groups(present, ids, groups)
        _correct(totals, sum_groups(np.abs(kept), ids, groups), counts, terms)
    return totals


def window_sums(values: Floats, low: Ints, high: Ints, reduce: Callable[[Floats], Floats]) -> Floats:
    """Add up the values in each window; `reduce` adds plainly."""
    totals = reduce(values)
    if _may_cancel(values):
        column = totals[:, None]
        counts = (high - low)[:, None]
        _correct(column, reduce(np.abs(values))[:, None], counts, lambda row, _: values[low[row] : high[row]])
    return totals


def _may_cancel(values: Floats) -> bool:
    return bool((values < 0).any() and (values > 0).any())


def _correct(totals: Floats, sizes: Floats, counts: Ints, terms: Callable[[int, int], Floats]) -> None:
    """Replace the totals that lost too many digits."""
    doubtful = np.isfinite(totals) & (sizes * np.sqrt(counts) * _ROUNDING > _TOLERATED * np.abs(totals))
    for row, column in zip(*np.nonzero(doubtful), strict=True):
        totals[row, column] = _compensated(terms(int(row), int(column)).tolist())


def _compensated(terms: Sequence[float]) -> float:
    """Add as Neumaier does; not better than that, because Prometheus is not."""
    total = lost = 0.0
    for term in terms:
        longer = total + term
        if math.isinf(longer):
            lost = 0.0
        elif abs(total) >= abs(term):
            lost += (total - longer) + term
        else:
            lost += (term - longer) + total
        total = longer
    return total + lost
