"""Aggregation over a window: the `*_over_time` functions (absent_over_time is in `absence`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from awf.embedded.promql import rates
from awf.embedded.promql.quantiles import row_quantiles
from awf.embedded.promql.selection import Windows
from awf.embedded.promql.summation import window_sums
from awf.embedded.promql.values import Bools, Floats
from awf.errors import QueryError

Result = tuple[Floats, Bools]
Kernel = Callable[[Windows, Sequence[Floats]], Result]

_SCALE = 2.0**-64


def _sum(windows: Windows, _: Sequence[Floats]) -> Result:
    return _total(windows, windows.values), windows.counts > 0


def _total(windows: Windows, values: Floats) -> Floats:
    return window_sums(values, windows.low, windows.high, lambda data: windows.reduce(np.add, data))


def _avg(windows: Windows, _: Sequence[Floats]) -> Result:
    count = np.maximum(windows.counts, 1)
    mean = _total(windows, windows.values) / count
    if np.isinf(mean).any():  # the sum may have overflowed where the mean does not
        scaled = _total(windows, windows.values * _SCALE) / count / _SCALE
        mean = np.where(np.isinf(mean), scaled, mean)
    return mean, windows.counts > 0


def _min(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.reduce(np.fmin, windows.values), windows.counts > 0


def _max(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.reduce(np.fmax, windows.values), windows.counts > 0


def _count(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.counts.astype(np.float64), windows.counts > 0


def _last(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.values[np.maximum(windows.high - 1, 0)], windows.counts > 0


def _present(windows: Windows, _: Sequence[Floats]) -> Result:
    return np.ones(len(windows.low)), windows.counts > 0


def _quantile(windows: Windows, params: Sequence[Floats]) -> Result:
    fraction = windows.per_cell(params[0])
    result = np.zeros(len(windows.low))
    for cells, positions, real in windows.gather():
        result[cells] = row_quantiles(windows.values[positions], real, fraction[cells])
    return result, windows.counts > 0


def _stdvar(windows: Windows, _: Sequence[Floats]) -> Result:
    result = np.zeros(len(windows.low))
    for cells, positions, real in windows.gather():
        count = np.maximum(real.sum(axis=1), 1)
        first = windows.values[np.minimum(windows.low[cells], len(windows.values) - 1)]
        apart = np.where(real, windows.values[positions] - first[:, None], 0.0)  # equal values are 0 apart
        mean = apart.sum(axis=1) / count
        spread = np.where(real, apart - mean[:, None], 0.0)
        result[cells] = (spread * spread).sum(axis=1) / count
    return result, windows.counts > 0


def _stddev(windows: Windows, params: Sequence[Floats]) -> Result:
    variance, present = _stdvar(windows, params)
    return np.sqrt(variance), present


def _first(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.values[np.minimum(windows.low, len(windows.values) - 1)], windows.counts > 0


def _mad(windows: Windows, _: Sequence[Floats]) -> Result:
    """The median of the distances to the median; NaN where any sample is."""
    result = np.zeros(len(windows.low))
    for cells, positions, real in windows.gather():
        values = windows.values[positions]
        half = np.full(len(values), 0.5)
        median = row_quantiles(values, real, half)
        found = row_quantiles(np.abs(values - median[:, None]), real, half)
        result[cells] = np.where((np.isnan(values) & real).any(axis=1), np.nan, found)
    return result, windows.counts > 0


def _time_of_first(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.timestamps[np.minimum(windows.low, len(windows.values) - 1)] / 1000, windows.counts > 0


def _time_of_last(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.timestamps[np.maximum(windows.high - 1, 0)] / 1000, windows.counts > 0


def _time_of_max(windows: Windows, _: Sequence[Floats]) -> Result:
    return _time_of(windows, windows.reduce(np.fmax, windows.values))


def _time_of_min(windows: Windows, _: Sequence[Floats]) -> Result:
    return _time_of(windows, windows.reduce(np.fmin, windows.values))


def _time_of(windows: Windows, extreme: Floats) -> Result:
    """The time of the last sample with the extreme value; of NaNs only, of the last one."""
    result = np.zeros(len(windows.low))
    for cells, positions, real in windows.gather():
        wanted = extreme[cells, None]
        hits = real & ((windows.values[positions] == wanted) | np.isnan(wanted))
        last = hits.shape[1] - 1 - hits[:, ::-1].argmax(axis=1) if hits.shape[1] else np.zeros(len(hits), int)
        at = np.minimum(windows.low[cells] + last, len(windows.values) - 1)
        result[cells] = windows.timestamps[at] / 1000
    return result, windows.counts > 0


def _smoothing(windows: Windows, params: Sequence[Floats]) -> Result:
    """Holt's double exponential smoothing, one sample of all windows after the other."""
    for values, name in zip(params, ("smoothing", "trend"), strict=True):
        if len(wrong := values[~((values > 0) & (values < 1))]):
            short = {"smoothing": "sf", "trend": "tf"}[name]
            raise QueryError(f"invalid {name} factor. Expected: 0 < {short} < 1, got: {wrong[0]:f}")
    factor, trend = (windows.per_cell(values) for values in params)
    result = np.zeros(len(windows.low))
    for cells, positions, real in windows.gather():
        if positions.shape[1] < 2:
            continue
        values = windows.values[positions]
        level, slope = values[:, 0], values[:, 1] - values[:, 0]
        before = np.zeros(len(level))
        for column in range(1, values.shape[1]):
            if column > 1:
                slope = trend[cells] * (level - before) + (1 - trend[cells]) * slope
            smoothed = factor[cells] * values[:, column] + (1 - factor[cells]) * (level + slope)
            here = real[:, column]
            before, level = np.where(here, level, before), np.where(here, smoothed, level)
        result[cells] = level
    return result, windows.counts >= 2


KERNELS: dict[str, Kernel] = {
    "avg_over_time": _avg,
    "changes": rates.changes,
    "count_over_time": _count,
    "delta": rates.delta,
    "deriv": rates.deriv,
    "double_exponential_smoothing": _smoothing,
    "first_over_time": _first,
    "holt_winters": _smoothing,
    "idelta": rates.idelta,
    "increase": rates.increase,
    "irate": rates.irate,
    "last_over_time": _last,
    "mad_over_time": _mad,
    "max_over_time": _max,
    "min_over_time": _min,
    "predict_linear": rates.predict_linear,
    "present_over_time": _present,
    "quantile_over_time": _quantile,
    "rate": rates.rate,
    "resets": rates.resets,
    "stddev_over_time": _stddev,
    "stdvar_over_time": _stdvar,
    "sum_over_time": _sum,
    "ts_of_first_over_time": _time_of_first,
    "ts_of_last_over_time": _time_of_last,
    "ts_of_max_over_time": _time_of_max,
    "ts_of_min_over_time": _time_of_min,
}
"""Functions of a range vector: windows and scalar parameters (one value a step) to one value a cell."""

KEEPS_NAME = frozenset({"last_over_time", "first_over_time"})
