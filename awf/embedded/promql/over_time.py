"""Aggregation over a window: the `*_over_time` functions (absent_over_time is in `absence`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from awf.embedded.promql import rates
from awf.embedded.promql.quantiles import row_quantiles
from awf.embedded.promql.selection import Windows
from awf.embedded.promql.values import Bools, Floats

Result = tuple[Floats, Bools]
Kernel = Callable[[Windows, Sequence[Floats]], Result]

_SCALE = 2.0**-64


def _sum(windows: Windows, _: Sequence[Floats]) -> Result:
    return windows.reduce(np.add, windows.values), windows.counts > 0


def _avg(windows: Windows, _: Sequence[Floats]) -> Result:
    count = np.maximum(windows.counts, 1)
    mean = windows.reduce(np.add, windows.values) / count
    if np.isinf(mean).any():  # the sum may have overflowed where the mean does not
        scaled = windows.reduce(np.add, windows.values * _SCALE) / count / _SCALE
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
        values = np.where(real, windows.values[positions], 0.0)
        mean = values.sum(axis=1) / count
        spread = np.where(real, values - mean[:, None], 0.0)
        result[cells] = (spread * spread).sum(axis=1) / count
    return result, windows.counts > 0


def _stddev(windows: Windows, params: Sequence[Floats]) -> Result:
    variance, present = _stdvar(windows, params)
    return np.sqrt(variance), present


KERNELS: dict[str, Kernel] = {
    "avg_over_time": _avg,
    "changes": rates.changes,
    "count_over_time": _count,
    "delta": rates.delta,
    "deriv": rates.deriv,
    "idelta": rates.idelta,
    "increase": rates.increase,
    "irate": rates.irate,
    "last_over_time": _last,
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
}
"""Functions of a range vector: windows and scalar parameters (one value a step) to one value a cell."""

KEEPS_NAME = frozenset({"last_over_time"})
