"""Range aggregations: one value for each window (t - range, t] of a series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from awf.embedded.logql import nodes
from awf.embedded.logql.frame import Present, Values
from awf.embedded.logql.samples import Series


@dataclass(frozen=True, slots=True)
class Windows:
    """Samples lows[i] to highs[i] of `values` are window i; only windows with samples are listed."""

    values: Values
    lows: NDArray[np.int64]
    highs: NDArray[np.int64]
    timestamps_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]

    @property
    def counts(self) -> Values:
        return (self.highs - self.lows).astype(np.float64)

    def reduce(self, ufunc: np.ufunc) -> Values:
        """Reduce each window by itself: differences of running sums would lose digits."""
        padded = np.append(self.values, 0.0)
        bounds = np.column_stack((self.lows, self.highs)).ravel()
        return np.asarray(ufunc.reduceat(padded, bounds)[::2], dtype=np.float64)

    def each(self, function: Callable[[Values], float]) -> Values:
        return np.array(
            [function(self.values[low:high]) for low, high in zip(self.lows, self.highs, strict=True)],
            dtype=np.float64,
        )


Reducer: TypeAlias = Callable[[Windows, nodes.RangeAggregation], Values]


def _seconds(node: nodes.RangeAggregation) -> float:
    return node.range.range_ns / 1e9


def _rate(windows: Windows, node: nodes.RangeAggregation) -> Values:
    total = windows.counts if node.range.unwrap is None else windows.reduce(np.add)
    return total / _seconds(node)


def _quantile(windows: Windows, node: nodes.RangeAggregation) -> Values:
    """Interpolated between the closest ranks, as Prometheus does; outside [0, 1] infinite."""
    quantile = node.parameter if node.parameter is not None else np.nan
    if quantile < 0 or quantile > 1:
        return np.full(len(windows.lows), -np.inf if quantile < 0 else np.inf)
    return windows.each(lambda values: float(np.quantile(values, quantile)))


def _rate_counter(windows: Windows, node: nodes.RangeAggregation) -> Values:
    """The values as a counter: resets add up, and the ends are extrapolated as in Prometheus."""
    values, low, high = windows.values, windows.lows, windows.highs - 1
    drops = np.append(0.0, np.cumsum(np.where(np.diff(values) < 0, values[:-1], 0.0)))
    increase = values[high] - values[low] + drops[high] - drops[low]
    since_start = (windows.timestamps_ns[low] - windows.ends_ns + node.range.range_ns) / 1e9
    to_end = (windows.ends_ns - windows.timestamps_ns[high]) / 1e9
    sampled = (windows.timestamps_ns[high] - windows.timestamps_ns[low]) / 1e9
    between = sampled / (high - low)
    near = between * 1.1
    since_start = np.where(since_start >= near, between / 2, since_start)
    to_zero = np.where((increase > 0) & (values[low] >= 0), sampled * (values[low] / increase), since_start)
    since_start = np.minimum(to_zero, since_start)
    to_end = np.where(to_end >= near, between / 2, to_end)
    rate = increase * ((sampled + since_start + to_end) / sampled) / _seconds(node)
    return np.where(high > low, rate, 0.0)


_REDUCERS: Final[dict[str, Reducer]] = {
    "count_over_time": lambda windows, _: windows.counts,
    "rate": _rate,
    "rate_counter": _rate_counter,
    "bytes_over_time": lambda windows, _: windows.reduce(np.add),
    "bytes_rate": lambda windows, node: windows.reduce(np.add) / _seconds(node),
    "sum_over_time": lambda windows, _: windows.reduce(np.add),
    "avg_over_time": lambda windows, _: windows.reduce(np.add) / windows.counts,
    "min_over_time": lambda windows, _: windows.reduce(np.fmin),
    "max_over_time": lambda windows, _: windows.reduce(np.fmax),
    "stddev_over_time": lambda windows, _: windows.each(lambda values: float(np.std(values - values[0]))),
    "stdvar_over_time": lambda windows, _: windows.each(lambda values: float(np.var(values - values[0]))),
    "quantile_over_time": _quantile,
    "first_over_time": lambda windows, _: windows.values[windows.lows],
    "last_over_time": lambda windows, _: windows.values[windows.highs - 1],
    "absent_over_time": lambda windows, _: np.ones(len(windows.lows)),
}


def evaluate(
    series: Series, node: nodes.RangeAggregation, times_ns: NDArray[np.int64]
) -> tuple[Values, Present]:
    """Return the value of every window that ends at one of the times, and which windows have samples."""
    ends = times_ns - node.range.offset_ns
    lows = np.searchsorted(series.timestamps_ns, ends - node.range.range_ns, side="right")
    highs = np.searchsorted(series.timestamps_ns, ends, side="right")
    present = highs > lows
    values = np.zeros(len(times_ns))
    windows = Windows(series.values, lows[present], highs[present], series.timestamps_ns, ends[present])
    with np.errstate(all="ignore"):
        values[present] = _REDUCERS[node.op](windows, node)
    return values, present
