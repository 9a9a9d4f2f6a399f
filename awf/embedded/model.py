"""What the store holds and what the query languages read: series, log records, spans.

Timestamps: milliseconds since the epoch for samples (as in Prometheus), nanoseconds for logs and spans.
Ranges are inclusive at both ends unless a language says otherwise on its side.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, Self, overload

import numpy as np
from numpy.typing import NDArray

from awf.embedded.regex import compile_re2

STALE_NAN_BITS = 0x7FF0000000000002
"""Prometheus' stale marker: this exact NaN ends a series."""
STALE: float = struct.unpack("<d", struct.pack("<Q", STALE_NAN_BITS))[0]


LabelKey = frozenset[tuple[str, str]]
"""A label set as a key. One object per label set is best: a frozenset remembers its hash."""


def key_of(labels: Mapping[str, str]) -> LabelKey:
    """Return what makes a label set itself; an empty value is the same as no label."""
    key = frozenset(labels.items())
    return key if "" not in labels.values() else frozenset(item for item in key if item[1])


class MatchOp(StrEnum):
    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True)
class Matcher:
    """A label matcher. A missing label counts as the empty string; regexes are fully anchored."""

    name: str
    op: MatchOp
    value: str

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return compile_re2(self.value)

    def matches(self, text: str) -> bool:
        if self.op is MatchOp.EQUAL:
            return text == self.value
        if self.op is MatchOp.NOT_EQUAL:
            return text != self.value
        found = self._regex.fullmatch(text) is not None
        return found if self.op is MatchOp.REGEX else not found

    def accepts(self, labels: Mapping[str, str]) -> bool:
        return self.matches(labels.get(self.name, ""))


@dataclass(frozen=True, slots=True)
class SeriesData:
    """One series' samples in time order. `labels` includes `__name__`."""

    labels: Mapping[str, str]
    timestamps_ms: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SeriesBlock(Sequence[SeriesData]):
    """Many series in three arrays: series `i` has the samples [offsets[i], offsets[i + 1])."""

    labels: Sequence[Mapping[str, str]]
    offsets: NDArray[np.int64]
    timestamps_ms: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, series: Sequence[SeriesData]) -> SeriesBlock:
        """Return any sequence of series in this form."""
        if isinstance(series, SeriesBlock):
            return series
        sizes = [len(item.timestamps_ms) for item in series]
        return cls(
            [item.labels for item in series],
            np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))),
            np.concatenate([*(item.timestamps_ms for item in series), np.empty(0, dtype=np.int64)]),
            np.concatenate([*(item.values for item in series), np.empty(0)]),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> SeriesData: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SeriesData]: ...

    def __getitem__(self, index: int | slice) -> SeriesData | Sequence[SeriesData]:
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        at = range(len(self))[index]
        here = slice(int(self.offsets[at]), int(self.offsets[at + 1]))
        return SeriesData(self.labels[at], self.timestamps_ms[here], self.values[here])


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class KeyTable:
    """Series by number; it only grows. Who sends the same ones again keeps one, and the store looks each up once."""

    keys: list[LabelKey] = field(default_factory=list)

    def __getitem__(self, number: int) -> LabelKey:
        return self.keys[number]

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, key: LabelKey) -> int:
        """Take in a series; return its number."""
        self.keys.append(key)
        return len(self.keys) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples to write, as columns: sample `i` is `values[i]` of series `table[series[i]]` at `timestamps_ms[i]`.

    A key includes `__name__` and has no empty value.
    """

    table: KeyTable
    series: NDArray[np.uint32]
    timestamps_ms: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Iterable[tuple[Mapping[str, str], int, float]]) -> Self:
        """Return rows of labels, milliseconds and value as columns."""
        listed = list(rows)
        return cls.of_keys(
            [key_of(labels) for labels, _, _ in listed],
            np.array([timestamp for _, timestamp, _ in listed], dtype=np.int64),
            np.array([value for _, _, value in listed], dtype=np.float64),
        )

    @classmethod
    def of_keys(
        cls, keys: Sequence[LabelKey], timestamps_ms: NDArray[np.int64], values: NDArray[np.float64]
    ) -> Self:
        """Return columns with a key for each sample."""
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        series = np.fromiter(map(numbers.__getitem__, keys), dtype=np.uint32, count=len(keys))
        return cls(KeyTable(list(numbers)), series, timestamps_ms, values)

    def rows(self) -> Iterator[tuple[dict[str, str], int, float]]:
        """Yield what `of` takes."""
        keys = map(self.table.keys.__getitem__, self.series.tolist())
        columns = zip(keys, self.timestamps_ms.tolist(), self.values.tolist(), strict=True)
        return ((dict(key), timestamp, value) for key, timestamp, value in columns)

    def __len__(self) -> int:
        return len(self.series)


NO_SAMPLES = Samples.of(())


@dataclass(frozen=True, slots=True)
class Exemplar:
    """An example behind a sample; `labels` holds trace_id and span_id."""

    series_labels: Mapping[str, str]
    labels: Mapping[str, str]
    value: float
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log entry: index labels name its stream, the rest is structured metadata."""

    timestamp_ns: int
    line: str
    labels: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineTest:
    """One of the texts is in the line, or matches it (RE2, `.` stops at newlines); `negative`: none does."""

    texts: tuple[str, ...]
    is_regex: bool = False
    negative: bool = False


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What an entry must be beyond the labels of its stream: every test holds. A label is the stream's, and
    where the stream has none of that name, the entry's metadata. Each of `values` is in the line, or a label's
    or a piece of metadata's; a line with backslashes may have it in escapes and passes."""

    lines: tuple[LineTest, ...] = ()
    labels: tuple[Matcher, ...] = ()
    values: tuple[str, ...] = ()


EVERYTHING = LogFilter()


@dataclass(frozen=True, slots=True)
class LogCount:
    """How many entries of a stream, with some metadata in common, are in a bucket of time, and their bytes."""

    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    bucket: int
    entries: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SpanEvent:
    timestamp_ns: int
    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanLink:
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Ids are lower-case hex; `kind` and `status` are OTLP's numbers (status 2 is an error)."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int = 0
    status_message: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    scope_name: str = ""
    scope_version: str = ""
    events: Sequence[SpanEvent] = ()
    links: Sequence[SpanLink] = ()

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class SpanTest:
    """What a column of a span must be: `name`, `kind`, `status`, `status_message`, `scope_name`,
    `scope_version`, `duration_ns`, `trace_id` or `span_id`, compared with a value by = != < <= > >= or =~."""

    column: str
    op: str
    value: str | int | float


@dataclass(frozen=True, slots=True)
class SpanMention:
    """A text that `attributes`, `resource`, `events` or `links` of a span must have in them, as key or value."""

    column: str
    text: str
    is_key: bool


@dataclass(frozen=True, slots=True)
class SpanConditions:
    """Several conditions that one span fulfils together, or of which it fulfils one."""

    parts: tuple[SpanCondition, ...]
    is_all: bool


SpanCondition = SpanTest | SpanMention | SpanConditions


ATTRIBUTE = "attributes."
"""Before the name of an attribute of spans, where columns are named; its value is JSON, or None."""


class SpanCell(NamedTuple):
    """How many spans are in a bucket of time, and their durations."""

    bucket: int
    spans: int
    shortest_ns: int
    longest_ns: int
    total_ns: float


@dataclass(frozen=True, slots=True)
class SpanGroup:
    """Spans that are alike in some columns, counted by bucket of time."""

    values: tuple[Any, ...]
    cells: Sequence[SpanCell]


@dataclass(frozen=True, slots=True)
class TraceRef:
    """A trace that is stored: when its first and its last span start, and how many it has."""

    trace_id: str
    first_ns: int
    last_ns: int
    spans: int


@dataclass(frozen=True, slots=True)
class MetricMetadata:
    """Type, help and unit as Prometheus' metadata endpoint names them."""

    type: str  # counter | gauge | histogram
    help: str = ""
    unit: str = ""
