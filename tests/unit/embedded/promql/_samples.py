"""The data that queries are compared over: jitter, gaps, resets, stale markers, NaN and infinities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from awf.embedded.model import SeriesData
from tests.conformance.notation import STALE

START_MS = 1_700_000_400_000
SPAN_MS = 3_600_000
HOSTS = ("h0", "h1", "h2")
BOUNDS = ("0.1", "0.5", "1", "5", "+Inf")


class _Maker:
    def __init__(self) -> None:
        self._random = np.random.default_rng(7)

    def times(self) -> NDArray[np.int64]:
        grid = np.arange(START_MS - 900_000, START_MS + SPAN_MS, 15_000)
        return np.sort(grid + self._random.integers(-2000, 2000, len(grid)))

    def counter(self, labels: dict[str, str], pace: float) -> SeriesData:
        """A counter far from zero: near it 2.42 extrapolates the beginning of a window differently."""
        moments = self.times()
        grown = 50_000.0 + np.cumsum(self._random.poisson(pace, len(moments))).astype(np.float64)
        for reset in self._random.choice(np.arange(100, len(moments)), 2, replace=False):
            grown[reset:] -= 9000.0
        kept = self._random.random(len(moments)) > 0.02
        return SeriesData(labels, moments[kept], grown[kept])

    def gauge(self, labels: dict[str, str], level: float, *, digits: int) -> SeriesData:
        moments = self.times()
        return SeriesData(labels, moments, np.round(level + self._random.normal(0, 2, len(moments)), digits))

    def histogram(self, host: str) -> list[SeriesData]:
        moments = self.times()
        seen = np.cumsum(self._random.poisson(3, (len(moments), 5)), axis=0)
        counts = np.cumsum(seen, axis=1).astype(np.float64) + 1000 * np.arange(1, 6)
        return [
            SeriesData({"__name__": "latency_bucket", "host": host, "le": bound}, moments, counts[:, index])
            for index, bound in enumerate(BOUNDS)
        ]

    def ending(self, host: str) -> SeriesData:
        """A gauge that ends with stale markers and comes back."""
        item = self.gauge({"__name__": "session", "host": host}, 50.0, digits=2)
        values = item.values.copy()
        for at in range(20 + 7 * int(host[1]), len(values), 60):
            values[at] = STALE
            values[at + 1 : at + 9] = np.nan
        kept = ~np.isnan(values) | (values.view(np.int64) == np.float64(STALE).view(np.int64))
        return SeriesData(item.labels, item.timestamps_ms[kept], values[kept])

    def odd(self, host: str) -> SeriesData:
        item = self.gauge({"__name__": "odd", "host": host}, 0.0, digits=1)
        values = item.values.copy()
        for at, value in ((3, np.nan), (11, np.inf), (17, -np.inf), (23, -0.0)):
            values[at + int(host[1]) :: 29] = value
        return SeriesData(item.labels, item.timestamps_ms, values)


def data_set() -> list[SeriesData]:
    """Some thirty series of eight metrics over an hour and a quarter."""
    make = _Maker()
    series = []
    for host in HOSTS:
        for code in ("200", "404", "500"):
            labels = {"__name__": "requests_total", "host": host, "code": code}
            series.append(make.counter(labels, 20.0 / int(code[0])))
        rooms = ({"__name__": "temperature", "host": host, "room": room} for room in ("r1", "r2"))
        series.extend(make.gauge(labels, 20.0, digits=3) for labels in rooms)
        series.append(make.gauge({"__name__": "state", "host": host}, 2.0, digits=0))
        info = {"__name__": "info_metric", "host": host, "version": f"v-{host}"}
        series.append(SeriesData(info, (moments := make.times()), np.ones(len(moments))))
        series += [*make.histogram(host), make.ending(host), make.odd(host)]
    moments = make.times()
    kept = (moments // 600_000) % 2 == 0
    series.append(SeriesData({"__name__": "gap"}, moments[kept], np.arange(kept.sum(), dtype=np.float64)))
    return series
