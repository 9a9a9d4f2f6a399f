"""`anchored` and `smoothed`: ranges that take in, or interpolate towards, the samples around their ends.

Formulas: Prometheus 3, promql/functions.go (`extendedRate`, `pickFirstSampleIndices`), engine.go (`smoothSeries`,
`extendFloats`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from awf.embedded.promql import rates
from awf.embedded.promql.selection import Windows
from awf.embedded.promql.syntax import Extension
from awf.embedded.promql.values import Bools, Floats, Ints
from awf.errors import QueryError

Result = tuple[Floats, Bools]

_ALLOWED = {
    "anchored": ("changes", "delta", "increase", "rate", "resets"),
    "smoothed": ("delta", "increase", "rate"),
}


def check_function(extension: Extension, function: str) -> None:
    """Raise QueryError for a function that cannot work on such a range."""
    if extension and function not in _ALLOWED[extension]:
        allowed = ", ".join(_ALLOWED[extension])
        raise QueryError(f"{extension} modifier can only be used with: {allowed} - not with {function}")


def anchored(windows: Windows, function: str) -> Result:
    """Evaluate over (start, end] and the newest sample at or before the start, if it is not too old."""
    found = _from_anchor(windows)
    if function in ("changes", "resets"):
        values, _ = (rates.changes if function == "changes" else rates.resets)(found, ())
    else:
        first, last = found.low, np.maximum(found.high - 1, 0)
        values = found.values[last] - found.values[first]
        if function != "delta":
            values = values + rates.lost_in_resets(found)
        if function == "rate":
            values = values / (found.range_ms / 1000)
    return values, found.counts > 0


def _from_anchor(windows: Windows) -> Windows:
    """Narrow windows that begin a lookback early to those that begin with their anchor."""
    starts = _per_cell(windows, windows.ends - windows.range_ms)
    after = _first_after(windows, starts)
    low = np.where(after > windows.low, after - 1, after)
    nothing = after >= windows.high
    return replace(windows, low=np.where(nothing, windows.high, low))


def _per_cell(windows: Windows, by_step: Ints) -> Ints:
    return np.tile(by_step, windows.rows)


def _first_after(windows: Windows, moments: Ints, *, or_at: bool = False) -> Ints:
    """Return the position of each window's first sample after (or at) a moment, else the window's end."""
    low, high = windows.low.copy(), windows.high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        times = windows.timestamps[np.minimum(middle, len(windows.timestamps) - 1)]
        is_before = (times < moments) if or_at else (times <= moments)
        low = np.where(open_ & is_before, middle + 1, low)
        high = np.where(open_ & ~is_before, middle, high)
    return low


def smoothed(windows: Windows, function: str) -> Result:
    """Evaluate between values interpolated at both ends; the windows reach a lookback beyond each."""
    is_counter = function != "delta"
    starts = _per_cell(windows, windows.ends - windows.range_ms)
    ends = _per_cell(windows, windows.ends)
    here = windows.counts > 0
    newest = np.maximum(windows.high - 1, 0)
    first = np.maximum(np.minimum(_first_after(windows, starts), newest) - 1, windows.low)
    last = np.minimum(_first_after(windows, ends, or_at=True), newest)
    times = windows.timestamps
    first, last = (np.minimum(index, len(times) - 1) for index in (first, last))
    here &= (times[last] > starts) & (times[first] <= ends)
    left = np.where(
        times[first] < starts,
        _interpolated(windows, first, starts, is_counter=is_counter),
        windows.values[first],
    )
    inner = np.maximum(last - 1, 0)
    right = np.where(
        (times[last] > ends) & (last > windows.low),
        _interpolated(windows, inner, ends, is_counter=is_counter),
        windows.values[last],
    )
    change = right - left
    if is_counter:
        low = np.where(times[first] <= starts, first + 1, first)
        high = np.where(times[last] >= ends, last, last + 1)
        change = change + _lost(replace(windows, low=low, high=np.maximum(high, low)), left, right)
    if function == "rate":
        change = change / (windows.range_ms / 1000)
    return change, here


def _interpolated(windows: Windows, before: Ints, moments: Ints, *, is_counter: bool) -> Floats:
    after = np.minimum(before + 1, len(windows.values) - 1)
    low, high = windows.values[before], windows.values[after]
    if is_counter:
        low = np.where(high < low, 0.0, low)
    width = windows.timestamps[after] - windows.timestamps[before]
    share = (moments - windows.timestamps[before]) / np.where(width == 0, 1, width)
    result: Floats = low + (high - low) * share
    return result


def _lost(inside: Windows, left: Floats, right: Floats) -> Floats:
    """Return what the counter held before each reset from left over the samples inside to right."""
    some = inside.counts > 0
    first = inside.values[np.minimum(inside.low, len(inside.values) - 1)]
    last = inside.values[np.maximum(inside.high - 1, 0)]
    lost = np.where(some & (first < left), left, 0.0)
    before_right = np.where(some, last, left)
    lost = lost + np.where(right < before_right, before_right, 0.0)
    return lost + rates.lost_in_resets(inside)


def smoothed_instant(windows: Windows) -> Result:
    """Interpolate at each window's end between the samples around it; keep the last one when none follows."""
    ends = _per_cell(windows, windows.ends)
    at_or_after = _first_after(windows, ends, or_at=True)
    inside = at_or_after < windows.high
    there = np.minimum(at_or_after, len(windows.values) - 1)
    exact = inside & (windows.timestamps[there] == ends)
    before = np.maximum(at_or_after - 1, 0)
    earlier = at_or_after > windows.low
    values = np.where(inside, _interpolated(windows, before, ends, is_counter=False), windows.values[before])
    return np.where(exact, windows.values[there], values), exact | earlier


def raw(timestamps: Ints, values: Floats, bounds: tuple[int, int], *, smooth: bool) -> tuple[Ints, Floats]:
    """Return one series' samples inside (start, end) with a value at each end."""
    start, end = bounds
    last = len(timestamps) - 1
    if last < 0:
        return timestamps, values
    first = max(0, int(np.searchsorted(timestamps[:last], start, side="right")) - 1)
    if smooth:
        last = int(np.searchsorted(timestamps[:last], end, side="left"))
    if timestamps[last] <= start:
        return timestamps[:0], values[:0]
    left, right = values[first], values[last]
    if smooth and timestamps[first] < start:
        left = np.interp(start, timestamps[first : first + 2], values[first : first + 2])
    if smooth and last > 0 and timestamps[last] > end:
        right = np.interp(end, timestamps[last - 1 : last + 1], values[last - 1 : last + 1])
    low = first + 1 if timestamps[first] <= start else first
    high = last - 1 if timestamps[last] >= end else last
    inside = slice(low, max(high + 1, low))
    return (
        np.concatenate([[start], timestamps[inside], [end]]),
        np.concatenate([[left], values[inside], [right]]),
    )
