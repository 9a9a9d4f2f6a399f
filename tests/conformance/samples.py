"""What a script has loaded: a sample reader in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from awf.embedded.model import Exemplar, Matcher, MetricMetadata, SeriesData
from tests.conformance.notation import Native
from tests.conformance.script import Load

Key = frozenset[tuple[str, str]]


@dataclass
class MemoryReader:
    """Obeys the SampleReader port, over a list."""

    data: list[SeriesData] = field(default_factory=list)
    known: dict[str, MetricMetadata] = field(default_factory=dict)
    examples: list[Exemplar] = field(default_factory=list)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[SeriesData]:
        found = []
        for item in self.data:
            if all(matcher.accepts(item.labels) for matcher in matchers):
                low, high = np.searchsorted(item.timestamps_ms, [start_ms, end_ms + 1])
                if high > low:
                    part = slice(low, high)
                    found.append(SeriesData(item.labels, item.timestamps_ms[part], item.values[part]))
        return found

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Mapping[str, str]]:
        return [item.labels for item in self.select(matchers, start_ms, end_ms)]

    def metadata(self) -> Mapping[str, MetricMetadata]:
        return self.known

    def exemplars(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Exemplar]:
        return [
            item for item in self.examples
            if all(matcher.accepts(item.series_labels) for matcher in matchers)
            and start_ms <= item.timestamp_ms <= end_ms
        ]  # fmt: skip


class Samples:
    """The samples loaded so far, and which series have what the store does not keep."""

    def __init__(self) -> None:
        self._points: dict[Key, dict[int, float]] = {}
        self._unkept: dict[Key, str] = {}

    def clear(self) -> None:
        self._points.clear()
        self._unkept.clear()

    def load(self, command: Load) -> None:
        """Add series; a sample at the same time replaces the one before."""
        for series in command.series:
            key = frozenset(series.labels.items())
            points = self._points.setdefault(key, {})
            for position, value in enumerate(series.values):
                if isinstance(value, float):
                    points[position * command.step_ms] = value
            if any(isinstance(value, Native) for value in series.values):
                self._unkept[key] = "native histograms"
            if command.with_native and (base := _histogram(series.labels)):
                self._unkept[base] = "native histograms"
        for key in command.start_times:
            self._unkept.setdefault(key, "start timestamps of samples")

    def reader(self) -> MemoryReader:
        """Return a reader of the samples that the store can keep."""
        return MemoryReader([_series_data(key, points) for key, points in self._points.items() if points])

    def unkept(self, matchers: Sequence[Matcher]) -> str | None:
        """Say what the store would have to keep to answer a selector, if there is something."""
        for key, what in self._unkept.items():
            if all(matcher.accepts(dict(key)) for matcher in matchers):
                return what
        return None


def _series_data(key: Key, points: dict[int, float]) -> SeriesData:
    times = sorted(points)
    return SeriesData(
        dict(sorted(key)), np.array(times, dtype=np.int64), np.array([points[time] for time in times])
    )


def _histogram(labels: Mapping[str, str]) -> Key | None:
    """Return the labels of the native histogram that a classic one's series belongs to."""
    name = labels.get("__name__", "")
    for suffix in ("_bucket", "_count", "_sum"):
        if name.endswith(suffix):
            rest = {key: text for key, text in labels.items() if key not in ("__name__", "le")}
            return frozenset({**rest, "__name__": name.removesuffix(suffix)}.items())
    return None
