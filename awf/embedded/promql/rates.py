"""Change over a window: rate, increase, delta, irate, idelta, changes, resets, deriv, predict_linear.

Formulas: Prometheus 3, promql/functions.go (`extrapolatedRate`, `instantValue`, `linearRegression`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from awf.embedded.promql.selection import Windows
from awf.embedded.promql.values import Bools, Floats, Ints

Result = tuple[Floats, Bools]
Pair = tuple[Floats, Floats, Bools]


def rate(windows: Windows, _: Sequence[Floats]) -> Result:
    values, present = _extrapolated(windows, is_counter=True)
    return values / (windows.range_ms / 1000), present


def increase(windows: Windows, _: Sequence[Floats]) -> Result:
    return _extrapolated(windows, is_counter=True)


def delta(windows: Windows, _: Sequence[Floats]) -> Result:
    return _extrapolated(windows, is_counter=False)


def irate(windows: Windows, _: Sequence[Floats]) -> Result:
    change, elapsed_s, present = _last_two(windows, is_counter=True)
    present &= elapsed_s > 0
    return change / np.where(present, elapsed_s, 1.0), present


def idelta(windows: Windows, _: Sequence[Floats]) -> Result:
    change, _elapsed_s, present = _last_two(windows, is_counter=False)
    return change, present


def changes(windows: Windows, _: Sequence[Floats]) -> Result:
    before, after = windows.values[:-1], windows.values[1:]
    differs = (before != after) & ~(np.isnan(before) & np.isnan(after))
    return _count_steps(windows, differs)


def resets(windows: Windows, _: Sequence[Floats]) -> Result:
    return _count_steps(windows, windows.values[1:] < windows.values[:-1])


def deriv(windows: Windows, _: Sequence[Floats]) -> Result:
    slope, _level, present = _regression(windows)
    return slope, present


def predict_linear(windows: Windows, params: Sequence[Floats]) -> Result:
    slope, level, present = _regression(windows)
    return level + slope * windows.per_cell(params[0]), present


def _edges(windows: Windows) -> tuple[Ints, Ints, Bools]:
    """Return the positions of the first and last sample, and whether there are at least two."""
    return windows.low, np.maximum(windows.high - 1, 0), windows.counts >= 2


def _extrapolated(windows: Windows, *, is_counter: bool) -> Result:
    first, last, present = _edges(windows)
    change = windows.values[last] - windows.values[first]
    if is_counter:
        change = change + lost_in_resets(windows)
    sampled_s = (windows.timestamps[last] - windows.timestamps[first]) / 1000
    between_s = sampled_s / np.maximum(windows.counts - 1, 1)
    ends = windows.per_cell(windows.ends)
    to_start_s = (windows.timestamps[first] - (ends - windows.range_ms)) / 1000
    to_end_s = (ends - windows.timestamps[last]) / 1000
    near = between_s * 1.1
    to_start_s = np.where(to_start_s >= near, between_s / 2, to_start_s)
    to_end_s = np.where(to_end_s >= near, between_s / 2, to_end_s)
    if is_counter:
        start = windows.values[first]
        bounded = (change > 0) & (start >= 0)
        to_zero_s = sampled_s * (start / np.where(bounded, change, 1.0))
        to_start_s = np.where(bounded & (to_zero_s < to_start_s), to_zero_s, to_start_s)
    present = present & (sampled_s > 0)
    factor = (sampled_s + to_start_s + to_end_s) / np.where(present, sampled_s, 1.0)
    return change * factor, present


def lost_in_resets(windows: Windows) -> Floats:
    """Return what counters held before each reset inside the windows."""
    drops = np.zeros(len(windows.values))
    before, after = windows.values[:-2], windows.values[1:-1]
    np.copyto(drops[1:-1], before, where=after < before)
    if not drops.any():
        return np.zeros(len(windows.low))
    return np.where(windows.counts > 1, windows.reduce(np.add, drops, skip=1), 0.0)


def _last_two(windows: Windows, *, is_counter: bool) -> Pair:
    _first, last, present = _edges(windows)
    before = np.maximum(last - 1, 0)
    newest, previous = windows.values[last], windows.values[before]
    change = newest - previous
    if is_counter:
        change = np.where(newest < previous, newest, change)
    return change, (windows.timestamps[last] - windows.timestamps[before]) / 1000, present.copy()


def _count_steps(windows: Windows, hits: Bools) -> Result:
    """Count the hits between neighbouring samples of each window; exact, so prefix sums do."""
    before = np.concatenate([[0], np.cumsum(hits)])  # before[i]: hits between samples 0..i
    _first, last, _ = _edges(windows)
    present = windows.counts > 0
    counted = before[last] - before[np.minimum(windows.low, len(before) - 1)]
    return np.where(present, counted, 0).astype(np.float64), present


def _regression(windows: Windows) -> Pair:
    """Fit a line to each window: its slope per second, and its level at the evaluation time."""
    slope = np.zeros(len(windows.low))
    level = np.zeros(len(windows.low))
    times = windows.per_cell(windows.times)
    for cells, positions, real in windows.gather():
        count = np.maximum(real.sum(axis=1), 1)
        values = np.where(real, windows.values[positions], 0.0)
        origin = windows.timestamps[windows.low[cells]]
        seconds = np.where(real, (windows.timestamps[positions] - origin[:, None]) / 1000, 0.0)
        mean_s, mean = seconds.sum(axis=1) / count, values.sum(axis=1) / count
        spread = np.where(real, seconds - mean_s[:, None], 0.0)
        covariance = (spread * np.where(real, values - mean[:, None], 0.0)).sum(axis=1)
        variance = (spread * spread).sum(axis=1)
        slope[cells] = covariance / np.where(variance > 0, variance, 1.0)
        now_s = (times[cells] - origin) / 1000
        level[cells] = mean + slope[cells] * (now_s - mean_s)
        flat = ((values == values[:, :1]) | ~real).all(axis=1)
        first = values[:, 0] if values.shape[1] else np.zeros(len(count))
        constant = np.where(np.isinf(first), np.nan, first)
        slope[cells] = np.where(flat, constant * 0.0, slope[cells])
        level[cells] = np.where(flat, constant, level[cells])
    return slope, level, windows.counts >= 2
