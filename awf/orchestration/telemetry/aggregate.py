"""Cumulative series in plain memory: what measurements add up to, over restarts."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from awf.core.counters import Counters
from awf.core.semconv import SERIES_OVERFLOWS
from awf.orchestration.telemetry.measurements import (
    BY_PROCESS,
    INSTRUMENTS,
    Instrument,
    Labels,
    Measurement,
    measure,
)
from awf.orchestration.telemetry.record import KIND, Record

MAX_SERIES = 2000
MAX_PLANS = 20_000
# Where all series beyond the limit add up; the name is that of OpenTelemetry's specification.
OVERFLOW_ATTRIBUTES: Mapping[str, Any] = {"otel.metric.overflow": True}
OVERFLOW: Labels = ()


class Exemplar(NamedTuple):
    """One measurement with the span it was taken in."""

    time_ns: int
    value: float
    trace_id: str
    span_id: str


@dataclass(slots=True)
class Histogram:
    """`counts[i]` measurements were at most `buckets[i]` and above the bucket before; one more for the rest."""

    counts: list[int]
    sum: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)  # the last of each bucket

    @property
    def count(self) -> int:
        return sum(self.counts)


class MetricState:
    """The series of every instrument. Each has at most `max_series`; what exceeds them is added to one
    overflow series, and counted. `start_ns` is when counting began, `last_ns` the time of the last export."""

    def __init__(self, counters: Counters, *, max_series: int = MAX_SERIES) -> None:
        self.start_ns = time.time_ns()
        self.last_ns = 0
        self._counters = counters
        self._max_series = max_series
        self._sums: dict[str, dict[Labels, float]] = {i.name: {} for i in INSTRUMENTS if not i.buckets}
        self._histograms: dict[str, dict[Labels, Histogram]] = {i.name: {} for i in INSTRUMENTS if i.buckets}
        self._plans: dict[tuple[Any, ...], list[Measurement]] = {}

    def add(self, record: Record) -> None:
        """Add what an event measures."""
        plan = self._plans.get(record[:KIND])
        for instrument, labels, amount in self._plan(record) if plan is None else plan:
            if amount is None or (value := amount(record)) is None:
                continue
            if instrument.buckets:
                exemplar = Exemplar(record.time_ns, value, record.trace_id, record.span_id)
                self.observe(instrument, labels, value, exemplar)
            else:
                self._sum(instrument, labels, value)

    def observe(
        self, instrument: Instrument, labels: Labels, value: float, exemplar: Exemplar | None = None
    ) -> None:
        """Add one measurement to a histogram."""
        series = self._histograms[instrument.name]
        histogram = series.get(labels)
        if histogram is None:
            key = self._admitted(instrument, labels, len(series))
            histogram = series.setdefault(key, Histogram([0] * (len(instrument.buckets) + 1)))
        bucket = bisect_left(instrument.buckets, value)
        histogram.counts[bucket] += 1
        histogram.sum += value
        if exemplar is not None:
            histogram.exemplars[bucket] = exemplar

    def sums(self) -> Iterator[tuple[Instrument, Mapping[Labels, float]]]:
        """Yield the counters with their series."""
        return ((i, self._sums[i.name]) for i in INSTRUMENTS if not i.buckets)

    def histograms(self) -> Iterator[tuple[Instrument, Mapping[Labels, Histogram]]]:
        """Yield the histograms with their series."""
        return ((i, self._histograms[i.name]) for i in INSTRUMENTS if i.buckets)

    def forget_exemplars(self) -> None:
        """Exemplars are sent once."""
        for series in self._histograms.values():
            for histogram in series.values():
                histogram.exemplars.clear()

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON, without exemplars and what is counted by process."""
        return {
            "start_ns": self.start_ns,
            "last_ns": self.last_ns,
            "sums": {
                name: [[*labels, value] for labels, value in s.items()] for name, s in self._sums.items()
            },
            "histograms": {
                name: [[*labels, h.sum, h.counts] for labels, h in series.items()]
                for name, series in self._histograms.items()
                if name not in BY_PROCESS
            },
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from a dump. Raises ValueError, TypeError, KeyError for one that is damaged."""
        sums = {
            name: {tuple(row[:-1]): float(row[-1]) for row in rows} for name, rows in dumped["sums"].items()
        }
        histograms = {
            name: {tuple(row[:-2]): Histogram(list(map(int, row[-1])), float(row[-2])) for row in rows}
            for name, rows in dumped["histograms"].items()
        }
        self.start_ns, self.last_ns = int(dumped["start_ns"]), int(dumped["last_ns"])
        self._plans.clear()
        for instrument in INSTRUMENTS:
            if instrument.name in BY_PROCESS:
                continue
            # Labels and buckets may be others in another version: such a series begins anew.
            sizes = {len(OVERFLOW), len(instrument.labels)}
            if not instrument.buckets:
                known = sums.get(instrument.name, {})
                self._sums[instrument.name] = {k: v for k, v in known.items() if len(k) in sizes}
                continue
            bins = len(instrument.buckets) + 1
            found = histograms.get(instrument.name, {})
            self._histograms[instrument.name] = {
                k: h for k, h in found.items() if len(k) in sizes and len(h.counts) == bins
            }

    def _plan(self, record: Record) -> list[Measurement]:
        """Work out once what all events of a kind measure."""
        plan = list(measure(record))
        for instrument, labels, amount in plan:
            if amount is None:
                self._sum(instrument, labels, 0.0)
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        self._plans[record[:KIND]] = plan
        return plan

    def _sum(self, instrument: Instrument, labels: Labels, value: float) -> None:
        series = self._sums[instrument.name]
        key = labels if labels in series else self._admitted(instrument, labels, len(series))
        series[key] = series.get(key, 0.0) + value

    def _admitted(self, instrument: Instrument, labels: Labels, size: int) -> Labels:
        if size < self._max_series - 1:
            return labels
        self._counters.add(SERIES_OVERFLOWS, metric=instrument.name)
        return OVERFLOW


def attributes_of(instrument: Instrument, labels: Labels) -> Mapping[str, Any]:
    """Return a series' labels by name."""
    if labels == OVERFLOW and instrument.labels:
        return OVERFLOW_ATTRIBUTES
    pairs: Iterable[tuple[str, str]] = zip(instrument.labels, labels, strict=True)
    return {name: value for name, value in pairs if value or name not in instrument.optional}
