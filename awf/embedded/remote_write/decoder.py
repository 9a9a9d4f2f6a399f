"""Write requests to samples, exemplars and metadata; what is wrong with a series costs that series."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from awf.embedded.intake import Intake, add_together, excess
from awf.embedded.model import Exemplar, KeyTable, LabelKey, MetricMetadata
from awf.embedded.remote_write.wire import Label, TimeSeries, WriteRequest, head, last_samples, unpack
from awf.errors import MalformedPayload

MAX_KNOWN_BYTES = 256 * 1024 * 1024
_KEY_BYTES = 1_000  # of a frozenset of up to 19 labels, and what holds it
NS_PER_MS = 1_000_000

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")


class RemoteWriteDecoder:
    """Decodes requests one after another, from one thread; remembers the series it has seen."""

    def __init__(self, max_known_bytes: int = MAX_KNOWN_BYTES) -> None:
        self._max_bytes = max_known_bytes
        self._table = KeyTable()
        self._known: dict[bytes | tuple[bytes, ...], int] = {}
        self._known_bytes = 0

    def decode(self, body: bytes, intake: Intake) -> None:
        """Add a packed request's rows. Raises MalformedPayload when it cannot be read at all."""
        if self._known_bytes > self._max_bytes:
            self._table = KeyTable()
            self._known.clear()
            self._known_bytes = 0
        intake.table = self._table
        try:
            request = WriteRequest.FromString(unpack(body))
        except DecodeError as error:
            raise MalformedPayload(
                f"the body is not a remote write request: {error}",
                hint="Send prometheus.WriteRequest of remote write 1.0 as protobuf, packed with snappy.",
            ) from error
        add_together(
            list(request.timeseries), partial(self._add_known, intake), partial(self._add_parsed, intake)
        )
        for item in request.metadata:
            kind = _TYPES[item.type] if 0 <= item.type < len(_TYPES) else "unknown"
            if _METRIC_NAME.fullmatch(item.metric_family_name):
                intake.metadata[item.metric_family_name] = MetricMetadata(kind, item.help, item.unit)

    def _add_known(self, intake: Intake, series: Sequence[bytes]) -> bool:
        """Add samples when all series are alike, known and not to be refused; else none."""
        known = self._known.get
        if known(head(series[0])) is None or (samples := last_samples(series)) is None:
            return False
        timestamps_ms, values = samples
        numbers = [number for one in series if (number := known(head(one))) is not None]
        if len(numbers) < len(series):
            return False
        if not (_has_time(intake, min(timestamps_ms)) and _has_time(intake, max(timestamps_ms))):
            return False
        intake.extend(numbers, timestamps_ms, values)
        return True

    def _add_parsed(self, intake: Intake, raw: bytes) -> None:
        try:
            series = TimeSeries.FromString(raw)
        except DecodeError:
            intake.refuse("a series cannot be read")
            return
        labels = tuple(series.labels)
        own = TimeSeries(labels=labels).SerializeToString()
        # Only a head of nothing but labels says all that the parsed series does.
        known_as = own if own == head(raw) else labels
        number = self._known.get(known_as)
        if number is None:
            try:
                number = self._known[known_as] = self._table.add(_key(labels))
            except MalformedPayload as error:
                intake.refuse(error.message, len(series.samples) + len(series.histograms))
                return
            self._known_bytes += sum(map(len, labels)) + _KEY_BYTES
        for sample in series.samples:
            _add(intake, number, sample.timestamp, sample.value)
        key = self._table[number]
        if series.histograms:
            intake.refuse(f"{_name(key)!r}: native histograms are not supported", len(series.histograms))
        if series.exemplars:
            intake.exemplars += _exemplars(intake, key, series.exemplars)


def _has_time(intake: Intake, timestamp_ms: int) -> bool:
    return intake.has_time(timestamp_ms * NS_PER_MS)


def _add(intake: Intake, series: int, timestamp_ms: int, value: float) -> None:
    if _has_time(intake, timestamp_ms):
        intake.add(series, timestamp_ms, value)
    else:
        intake.takes_time(timestamp_ms * NS_PER_MS, f"a sample of {_name(intake.table[series])!r}")


def _key(labels: Iterable[bytes]) -> LabelKey:
    """Return the series of a label set. Raises MalformedPayload when it cannot be one."""
    try:
        pairs = [(label.name, label.value) for label in map(Label.FromString, labels)]
    except DecodeError as error:
        raise MalformedPayload("a series has labels that cannot be read") from error
    names = dict(pairs)
    name = names.get("__name__", "")
    if not _METRIC_NAME.fullmatch(name):
        raise MalformedPayload(
            f"{name!r:.80} is not a metric name" if name else "a series has no metric name"
        )
    if len(names) < len(pairs):
        raise MalformedPayload(f"a series of {name!r:.80} has a label twice")
    for label in names:
        if not _LABEL_NAME.fullmatch(label):
            raise MalformedPayload(f"a series of {name!r:.80} has {label!r:.80}, which is not a label name")
    if reason := excess(pairs, f"a series of {name!r:.80}"):
        raise MalformedPayload(reason)
    return frozenset(pair for pair in pairs if pair[1])


def _exemplars(intake: Intake, key: LabelKey, items: Iterable[Any]) -> list[Exemplar]:
    """Return the exemplars that can be kept; they are examples, so no count is made of the others."""
    found = []
    for item in items:
        own = [(label.name, label.value) for label in item.labels]
        if intake.has_time(item.timestamp * NS_PER_MS) and not excess(own, "an exemplar"):
            found.append(Exemplar(dict(key), dict(own), item.value, item.timestamp))
    return found


def _name(key: LabelKey) -> str:
    return next(value for name, value in key if name == "__name__")
