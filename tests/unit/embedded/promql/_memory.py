"""A sample reader over lists, and samples written as `value+step x count`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from awf.embedded.model import STALE_NAN_BITS, Exemplar, Matcher, MetricMetadata, SeriesData

STALE = float(np.array([STALE_NAN_BITS], dtype=np.uint64).view(np.float64)[0])
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class MemoryReader:
    """Obeys the SampleReader port."""

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


def load(text: str, *, step_ms: int = 60_000, start_ms: int = 0) -> MemoryReader:
    """Read lines `name{a="b"} v1 v2 _ stale 0+10x5`: one sample a step, `_` for none."""
    return MemoryReader([_line(line, step_ms, start_ms) for line in text.strip().split("\n")])


def _line(line: str, step_ms: int, start_ms: int) -> SeriesData:
    found = re.match(r"\s*([\w:]*)(\{.*?\})?\s+(.*)", line)
    assert found, line
    labels = dict(_LABEL.findall(found[2] or ""))
    if found[1]:
        labels["__name__"] = found[1]
    values = [value for word in found[3].split() for value in _values(word)]
    kept = [(start_ms + index * step_ms, value) for index, value in enumerate(values) if value is not None]
    return SeriesData(
        labels,
        np.array([time for time, _ in kept], dtype=np.int64),
        np.array([value for _, value in kept], dtype=np.float64),
    )


def _values(word: str) -> list[float | None]:
    if word == "_":
        return [None]
    if word == "stale":
        return [STALE]
    if found := re.fullmatch(r"(-?[\d.]+)([+-][\d.]+)x(\d+)", word):
        first, step, count = float(found[1]), float(found[2]), int(found[3])
        return [first + step * index for index in range(count + 1)]
    return [float(word)]
