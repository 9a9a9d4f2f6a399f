"""Read and write access to the store: what the query languages ask of it, and what receivers hand to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from awf.embedded.model import (
    EVERYTHING,
    NO_SAMPLES,
    Exemplar,
    LogCount,
    LogFilter,
    LogRecord,
    Matcher,
    MetricMetadata,
    Samples,
    SeriesData,
    Span,
    SpanCondition,
    SpanGroup,
    SpanTest,
    TraceRef,
)


class SampleReader(Protocol):
    """Read access to samples. Safe to call from several threads at once."""

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[SeriesData]:
        """Return the matching series that have samples in [start, end], each sorted by time.

        Where they may be many it is a SeriesBlock."""
        ...

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Mapping[str, str]]:
        """Return the label sets of matching series that have samples in the range."""
        ...

    def metadata(self) -> Mapping[str, MetricMetadata]: ...

    def exemplars(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Exemplar]: ...


class LogReader(Protocol):
    """Read access to logs. Safe to call from several threads at once."""

    def logs(
        self,
        matchers: Sequence[Matcher],
        start_ns: int,
        end_ns: int,
        *,
        where: LogFilter = EVERYTHING,
        newest_first: bool = True,
    ) -> list[LogRecord]:
        """Return records of matching streams in [start, end), sorted by time in the asked direction."""
        ...

    def log_counts(
        self,
        matchers: Sequence[Matcher],
        start_ns: int,
        end_ns: int,
        *,
        where: LogFilter = EVERYTHING,
        bucket_ns: int,
        by: Sequence[str] | None = (),
    ) -> list[LogCount]:
        """Count records of [start, end) by stream, by these metadata (None: by all) and by bucket of time,
        numbered from 0 at start. A count may come in parts; without the metadata an entry counts all the same."""
        ...

    def log_size(
        self, matchers: Sequence[Matcher], start_ns: int, end_ns: int, *, where: LogFilter = EVERYTHING
    ) -> int:
        """Return how many rows `logs` would read at most: cheap, and duplicates count."""
        ...

    def streams(self, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> list[Mapping[str, str]]:
        """Return the label sets of streams with records in the range."""
        ...


class SpanReader(Protocol):
    """Read access to spans. Safe to call from several threads at once."""

    def trace(self, trace_id: str) -> list[Span]:
        """Return all spans of a trace, by start time; empty when it is unknown."""
        ...

    def traces(self, start_ns: int, end_ns: int, where: Sequence[SpanCondition] = ()) -> list[TraceRef]:
        """Return the traces that have a span which begins or still runs in [start, end] and, for each condition,
        some span that fulfils it; the newest first. Some that do not fulfil them may be among them: callers
        look again."""
        ...

    def spans_of(self, traces: Sequence[TraceRef]) -> list[Span]:
        """Return all spans of these traces."""
        ...

    def span_groups(
        self,
        start_ns: int,
        end_ns: int,
        *,
        bucket_ns: int,
        columns: Sequence[str],
        tests: Sequence[SpanTest] = (),
        where: Sequence[SpanCondition] = (),
    ) -> list[SpanGroup] | None:
        """Count the spans that start in (start, end], fulfil `where`, and are alike in columns and tests; None
        when there would be too many cells. Values are the columns', then whether each test holds. Columns are
        those of `SpanTest`, `resource` (JSON), `size` (of the duration: the smallest power of two that it fits
        into, 0 below 2 ns) and attributes."""
        ...


class Store(SampleReader, LogReader, SpanReader, Protocol):
    """Everything the query APIs read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How many rows of a write the store left out, and why."""

    count: int
    reason: str


class Sink(Protocol):
    """Write access. Each call returns after a durable commit; several callers' rows share one commit."""

    async def write(
        self,
        *,
        samples: Samples = NO_SAMPLES,
        metadata: Mapping[str, MetricMetadata] | None = None,
        exemplars: Sequence[Exemplar] = (),
        logs: Sequence[LogRecord] = (),
        spans: Sequence[Span] = (),
    ) -> Refusal | None:
        """Store rows; returns what was left out, such as new series past the limit, None when nothing was.
        Raises Overloaded when the writer's queue is full."""
        ...
