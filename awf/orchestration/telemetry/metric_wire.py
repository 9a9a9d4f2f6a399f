"""Metrics as OTLP: the aggregated series, and what is read from gauges and counters at the moment of export."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from awf.orchestration.telemetry.aggregate import Exemplar, Histogram, MetricState, attributes_of
from awf.orchestration.telemetry.measurements import BY_PROCESS
from awf.orchestration.telemetry.wire import Attributes, double, field, fixed64, text

_CUMULATIVE = b"\x10\x02"
_MONOTONIC = b"\x18\x01"

Points = Sequence[tuple[Mapping[str, Any], float]]
Distributions = Sequence[tuple[Mapping[str, Any], Histogram]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge or counter as it stands now; a histogram where there are `buckets`, with its `distributions`."""

    name: str
    description: str
    is_counter: bool
    points: Points = ()
    buckets: tuple[float, ...] = ()
    distributions: Distributions = ()


Probe = Callable[[], Iterable[Reading]]


class MetricEncoder:
    """Encodes metrics as fields of ScopeMetrics."""

    def __init__(self) -> None:
        self._number_attributes = Attributes(b"\x3a").encode
        self._histogram_attributes = Attributes(b"\x4a").encode

    def encode(
        self, state: MetricState, readings: Iterable[Reading], *, now_ns: int, process_start_ns: int
    ) -> list[bytes]:
        """Return one item for each metric that has a series. Counters that were read began with the process."""
        times = fixed64(0x11, state.start_ns) + fixed64(0x19, now_ns)
        read_times = fixed64(0x11, process_start_ns) + fixed64(0x19, now_ns)
        items = []
        for instrument, sums in state.sums():
            points = [(attributes_of(instrument, labels), value) for labels, value in sums.items()]
            if points:
                items.append(self._sum(instrument.name, instrument.description, points, times))
        for instrument, histograms in state.histograms():
            if histograms:
                since = read_times if instrument.name in BY_PROCESS else times
                found = [(attributes_of(instrument, labels), each) for labels, each in histograms.items()]
                data = self._histogram(instrument.buckets, found, since)
                items.append(_metric(instrument.name, instrument.description, instrument.unit, b"\x4a", data))
        for reading in readings:
            if reading.distributions:
                data = self._histogram(reading.buckets, reading.distributions, read_times)
                items.append(_metric(reading.name, reading.description, "", b"\x4a", data))
            elif reading.is_counter and reading.points:
                items.append(self._sum(reading.name, reading.description, reading.points, read_times))
            elif reading.points:
                items.append(self._gauge(reading, fixed64(0x19, now_ns)))
        return items

    def _sum(self, name: str, description: str, points: Points, times: bytes) -> bytes:
        return _metric(
            name, description, "", b"\x3a", self._numbers(points, times) + _CUMULATIVE + _MONOTONIC
        )

    def _gauge(self, reading: Reading, times: bytes) -> bytes:
        return _metric(reading.name, reading.description, "", b"\x2a", self._numbers(reading.points, times))

    def _numbers(self, points: Points, times: bytes) -> bytes:
        encode = self._number_attributes
        return b"".join(
            field(b"\x0a", b"".join([times, double(0x21, value), *encode(attributes)]))
            for attributes, value in points
        )

    def _histogram(self, buckets: Sequence[float], series: Distributions, times: bytes) -> bytes:
        bounds = field(b"\x3a", struct.pack(f"<{len(buckets)}d", *buckets))
        points = b"".join(
            field(b"\x0a", b"".join([
                times, fixed64(0x21, found.count), double(0x29, found.sum),
                field(b"\x32", struct.pack(f"<{len(found.counts)}Q", *found.counts)), bounds,
                *map(_exemplar, found.exemplars.values()), *self._histogram_attributes(attributes),
            ]))
            for attributes, found in series
        )  # fmt: skip
        return points + _CUMULATIVE


def _metric(name: str, description: str, unit: str, tag: bytes, data: bytes) -> bytes:
    parts = [text(b"\x0a", name), text(b"\x12", description)]
    if unit:
        parts.append(text(b"\x1a", unit))
    return field(b"\x12", b"".join([*parts, field(tag, data)]))


def _exemplar(exemplar: Exemplar) -> bytes:
    return field(b"\x42", b"".join([
        fixed64(0x11, exemplar.time_ns), double(0x19, exemplar.value),
        b"\x22\x08", bytes.fromhex(exemplar.span_id), b"\x2a\x10", bytes.fromhex(exemplar.trace_id),
    ]))  # fmt: skip
