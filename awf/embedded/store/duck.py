"""The store itself: opens the file, owns the writer, delegates reading. Its twin keeps all in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from awf.core.counters import Counters
from awf.core.semconv import STORE_DROPPED_ROWS, STORE_REFUSED_ROWS
from awf.embedded.changes import Changes
from awf.embedded.contracts import Refusal
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
    SeriesBlock,
    Span,
    SpanCondition,
    SpanGroup,
    SpanTest,
    TraceRef,
)
from awf.embedded.store.cursors import Cursors
from awf.embedded.store.head import Head
from awf.embedded.store.keeper import Keeper
from awf.embedded.store.label_index import LabelIndex
from awf.embedded.store.layout import Layout, day_name
from awf.embedded.store.limits import Limits
from awf.embedded.store.logs import LogTable
from awf.embedded.store.restore import first_start_ms
from awf.embedded.store.retention import USED_BYTES
from awf.embedded.store.rows import Rows
from awf.embedded.store.samples import SampleTable
from awf.embedded.store.schema import connect
from awf.embedded.store.spans import SpanTable
from awf.embedded.store.tables import Tables
from awf.embedded.store.writer import MAX_PENDING_ROWS, GroupWriter

_STATS = """
select (select count(*) from samples), (select count(*) from logs), (select count(*) from spans),
    least((select min(ts) from samples), (select min(ts) // 1000000 from logs), (select min(start_ns) // 1000000 from spans)),
    greatest((select max(ts) from samples), (select max(ts) // 1000000 from logs), (select max(start_ns) // 1000000 from spans))
"""
NO_ROOM = "the label set is new, and the store's memory for label sets (AWF_STORE_MEMORY_MB) is used up"


@dataclass(frozen=True, slots=True)
class StoreStats:
    """How full the store is. `size_bytes` is what the files take, `used_bytes` what of it is in use."""

    samples: int
    logs: int
    spans: int
    series: int
    streams: int
    size_bytes: int
    used_bytes: int
    pending_rows: int
    days: list[str]
    oldest_ms: int | None
    newest_ms: int | None
    head_samples: int
    head_bytes: int
    label_bytes: int
    is_restored: bool
    dropped_rows: int
    refused_rows: int


class DuckStore:
    """Implements `Store` and `Sink` over one DuckDB file, which this process alone may open."""

    def __init__(
        self,
        connection: Any,
        path: Path | None,
        *,
        max_pending_rows: int = MAX_PENDING_ROWS,
        limits: Limits | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._connection = connection
        self._path = path
        self._series = LabelIndex()
        self._streams = LabelIndex()
        self._counters = counters or Counters()
        limits = limits or Limits()
        self._layout = layout = Layout(connection)
        self._head = Head(first_start_ms(connection, layout), seal_samples=limits.seal_samples)
        self._tables = Tables(
            connection,
            layout=layout,
            series=self._series,
            streams=self._streams,
            head=self._head,
            max_label_bytes=limits.label_bytes,
        )
        self._cursors = Cursors(connection.cursor())
        self._samples = SampleTable(self._cursors, self._series, self._head)
        self._logs = LogTable(self._cursors, self._streams)
        self._spans = SpanTable(self._cursors)
        self._writer = GroupWriter(self._tables.commit, max_pending_rows=max_pending_rows)
        self._keeper = Keeper(
            connection.cursor(),
            layout=layout,
            tables=self._tables,
            indexes=(self._series, self._streams),
            head=self._head,
            writer=self._writer,
            limits=limits,
            counters=self._counters,
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        memory_mb: int = 512,
        max_mb: int | None = None,
        counters: Counters | None = None,
    ) -> Self:
        """Open or create the file. Raises DataDirError."""
        limits = Limits(
            memory_mb=memory_mb,
            max_bytes=None if max_mb is None else max_mb << 20,
            wal=path.with_name(path.name + ".wal"),
        )
        return cls(connect(path, limits.database_mb), path, limits=limits, counters=counters)

    def close(self) -> None:
        """Commit what was accepted and release the file."""
        self._keeper.close()
        self._writer.close()
        self._cursors.close()
        self._connection.close()

    # -- Sink

    async def write(
        self,
        *,
        samples: Samples = NO_SAMPLES,
        metadata: Mapping[str, MetricMetadata] | None = None,
        exemplars: Sequence[Exemplar] = (),
        logs: Sequence[LogRecord] = (),
        spans: Sequence[Span] = (),
    ) -> Refusal | None:
        rows = Rows(samples, metadata or {}, exemplars, logs, spans)
        return self._refusal(await asyncio.wrap_future(self._writer.submit(rows))) if len(rows) else None

    def put(self, rows: Rows) -> Refusal | None:
        """Store rows from a thread that may wait."""
        return self._refusal(self._writer.submit(rows).result())

    def _refusal(self, left_out: int) -> Refusal | None:
        if not left_out:
            return None
        self._counters.add(STORE_REFUSED_ROWS, left_out, reason="memory")
        return Refusal(left_out, NO_ROOM)

    async def sweep(self, *, older_than_ms: int) -> None:
        """Drop the days before a time (milliseconds since the epoch), and what the file has no room for."""
        await asyncio.to_thread(self._keeper.sweep, older_than_ms)

    def fold(self) -> None:
        """Move what was written so far into the tables of its days, sorted."""
        self._keeper.fold()

    # -- SampleReader

    @property
    def sample_changes(self) -> Changes:
        """Which samples came and went."""
        return self._head.changes

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> SeriesBlock:
        return self._samples.select(matchers, start_ms, end_ms)

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Mapping[str, str]]:
        return self._samples.series(matchers, start_ms, end_ms)

    def metadata(self) -> Mapping[str, MetricMetadata]:
        return self._tables.metadata

    def exemplars(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Exemplar]:
        return self._samples.exemplars(matchers, start_ms, end_ms)

    # -- LogReader

    @property
    def log_changes(self) -> Changes:
        """When log records came and went."""
        return self._tables.log_changes

    def logs(
        self,
        matchers: Sequence[Matcher],
        start_ns: int,
        end_ns: int,
        *,
        where: LogFilter = EVERYTHING,
        newest_first: bool = True,
    ) -> list[LogRecord]:
        return self._logs.logs(matchers, start_ns, end_ns, where=where, newest_first=newest_first)

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
        return self._logs.log_counts(matchers, start_ns, end_ns, where=where, bucket_ns=bucket_ns, by=by)

    def log_size(
        self, matchers: Sequence[Matcher], start_ns: int, end_ns: int, *, where: LogFilter = EVERYTHING
    ) -> int:
        return self._logs.log_size(matchers, start_ns, end_ns, where=where)

    def streams(self, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> list[Mapping[str, str]]:
        return self._logs.streams(matchers, start_ns, end_ns)

    # -- SpanReader

    @property
    def span_changes(self) -> Changes:
        """When spans came and went."""
        return self._tables.span_changes

    def trace(self, trace_id: str) -> list[Span]:
        return self._spans.trace(trace_id)

    def traces(self, start_ns: int, end_ns: int, where: Sequence[SpanCondition] = ()) -> list[TraceRef]:
        return self._spans.traces(start_ns, end_ns, where)

    def spans_of(self, traces: Sequence[TraceRef]) -> list[Span]:
        return self._spans.spans_of(traces)

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
        return self._spans.span_groups(
            start_ns, end_ns, bucket_ns=bucket_ns, columns=columns, tests=tests, where=where
        )

    def stats(self) -> StoreStats:
        samples, logs, spans, oldest, newest = self._cursors.rows(_STATS, [], limit=1, what="counts")[0]
        files = () if self._path is None else (self._path, self._path.with_name(self._path.name + ".wal"))
        return StoreStats(
            samples=samples,
            logs=logs,
            spans=spans,
            series=len(self._series),
            streams=len(self._streams),
            size_bytes=sum(file.stat().st_size for file in files if file.exists()),
            used_bytes=self._cursors.rows(USED_BYTES, [], limit=1, what="sizes")[0][0],
            pending_rows=self._writer.pending_rows,
            days=[day_name(day) for day in self._layout.all_days],
            oldest_ms=oldest,
            newest_ms=newest,
            head_samples=self._head.samples,
            head_bytes=self._head.size_bytes,
            label_bytes=self._series.size_bytes + self._streams.size_bytes,
            is_restored=self._keeper.is_restored,
            dropped_rows=int(
                sum(v for name, _, v in self._counters.snapshot() if name == STORE_DROPPED_ROWS)
            ),
            refused_rows=int(self._counters.get(STORE_REFUSED_ROWS, reason="memory")),
        )

    def sample_range(self) -> tuple[int, int]:
        """Return the times of the first and last sample, (0, -1) when there are none."""
        first, last = self._cursors.rows("select min(ts), max(ts) from samples", [], limit=1, what="times")[0]
        return (0, -1) if first is None else (first, last)

    def copy_to(self, path: Path, query: str) -> int:
        """Write what a query finds as Parquet; return how many rows."""
        return self._keeper.copy_to(path, query)


class MemoryStore(DuckStore):
    """The same store without a file, for tests and trials."""

    def __init__(self, *, max_pending_rows: int = MAX_PENDING_ROWS) -> None:
        super().__init__(connect(None, 512), None, max_pending_rows=max_pending_rows)
