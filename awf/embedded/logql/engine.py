"""The evaluator: LogQL over a `LogReader`. Synchronous and thread safe; call it in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from awf.embedded.contracts import LogReader
from awf.embedded.logql import nodes
from awf.embedded.logql.entry import Entry
from awf.embedded.logql.evaluation import Evaluation
from awf.embedded.logql.frame import Frame, label_set
from awf.embedded.logql.parser import parse, parse_selector
from awf.embedded.logql.pipeline import Pipeline
from awf.embedded.logql.results import (
    LogEntry,
    Matrix,
    MatrixSeries,
    Scalar,
    Streams,
    Vector,
    VectorSample,
)
from awf.embedded.logql.scan import FIRST_SLICE, QueryStats, scan
from awf.errors import QueryError, QueryLimit

MAX_STEPS: Final = 11_000
MAX_SERIES: Final = 5_000
_ORDERING: Final = {"topk", "bottomk", "approx_topk", "sort", "sort_desc"}


class Engine:
    """Answers LogQL queries. Errors are QueryError, UnsupportedQuery and QueryLimit."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def instant(self, query: str, at_ns: int) -> Vector | Scalar:
        """Evaluate a metric query at one time. A log query is refused, as Loki does."""
        tree = parse(query)
        if isinstance(tree, nodes.LogQuery):
            raise QueryError(
                "log queries are not supported as an instant query type, "
                "please change your query to a range query type"
            )
        stats = QueryStats()
        found = Evaluation(self._reader, np.array([at_ns], dtype=np.int64), stats).run(tree)
        if not isinstance(found, Frame):
            return Scalar(at_ns, found, stats)
        samples = [
            VectorSample(dict(labels), at_ns, float(found.values[row, 0]))
            for row, labels in enumerate(found.labels)
        ]
        _check_series(len(samples))
        if not _is_ordered(tree):
            samples.sort(key=lambda sample: label_set(sample.labels))
        return Vector(samples, stats)

    def range(
        self,
        query: str,
        start_ns: int,
        end_ns: int,
        step_ns: int,
        *,
        limit: int = 100,
        newest_first: bool = True,
        interval_ns: int = 0,
    ) -> Streams | Matrix:
        """Evaluate at start, start + step, ... end; of a log query return entries of [start, end), with an
        interval only those at least so far from the one before."""
        tree = parse(query)
        stats = QueryStats()
        if isinstance(tree, nodes.LogQuery):
            span = (start_ns, end_ns)
            first = min(limit, FIRST_SLICE) if not Pipeline(tree.stages).filters else FIRST_SLICE
            found = self._entries(tree, span, stats, newest_first=newest_first, rows=first)
            return Streams(list(islice(_apart(found, interval_ns), limit)), stats)
        steps = _steps(start_ns, end_ns, step_ns)
        frame = Evaluation(self._reader, steps, stats).run(tree)
        if not isinstance(frame, Frame):
            return Matrix([MatrixSeries({}, steps, np.full(len(steps), frame))], stats)
        _check_series(len(frame.labels))
        series = [
            MatrixSeries(dict(labels), steps[present], values[present])
            for labels, values, present in zip(frame.labels, frame.values, frame.present, strict=True)
        ]
        series.sort(key=lambda item: label_set(item.labels))
        return Matrix(series, stats)

    def entries(
        self, query: str, start_ns: int, end_ns: int, stats: QueryStats, *, newest_first: bool = True
    ) -> Iterator[LogEntry]:
        """Yield the entries of a log query in [start, end), as many as the caller takes."""
        tree = parse_selector(query)
        return self._entries(tree, (start_ns, end_ns), stats, newest_first=newest_first, rows=FIRST_SLICE)

    def _entries(
        self,
        tree: nodes.LogQuery,
        span_ns: tuple[int, int],
        stats: QueryStats,
        *,
        newest_first: bool,
        rows: int,
    ) -> Iterator[LogEntry]:
        pipeline = Pipeline(tree.stages)
        records = scan(
            self._reader, tree.matchers, span_ns, stats,
            where=pipeline.where, newest_first=newest_first, rows=rows,
        )  # fmt: skip
        for record in records:
            entry = Entry(record)
            if pipeline.accepts(entry):
                yield LogEntry(
                    entry.timestamp_ns,
                    entry.line,
                    entry.stream_labels(),
                    entry.metadata,
                    entry.parsed_labels(),
                )


def _apart(entries: Iterator[LogEntry], interval_ns: int) -> Iterator[LogEntry]:
    """Leave out entries that are closer than the interval to the last one kept, in either direction."""
    last: int | None = None
    for entry in entries:
        if last is None or abs(entry.timestamp_ns - last) >= interval_ns:
            last = entry.timestamp_ns
            yield entry


def _is_ordered(node: nodes.Metric) -> bool:
    """Tell whether the query itself puts its series in order; other results are ordered by labels."""
    if isinstance(node, nodes.Binary):
        return _is_ordered(node.left) or _is_ordered(node.right)
    if isinstance(node, nodes.LabelReplace):
        return _is_ordered(node.operand)
    return isinstance(node, nodes.VectorAggregation) and node.op in _ORDERING


def _check_series(count: int) -> None:
    if count > MAX_SERIES:
        raise QueryLimit(
            f"maximum number of series ({MAX_SERIES}) reached for a single query; consider reducing query "
            "cardinality by adding more specific stream selectors, reducing the time range, or aggregating "
            "results with functions like sum(), count() or topk()"
        )


def _steps(start_ns: int, end_ns: int, step_ns: int) -> NDArray[np.int64]:
    if step_ns <= 0:
        raise QueryError(
            "zero or negative query resolution step widths are not accepted. Try a positive integer"
        )
    if end_ns < start_ns:
        raise QueryError("end timestamp must not be before or equal to start time")
    if (end_ns - start_ns) // step_ns >= MAX_STEPS:
        raise QueryLimit(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try increasing the value of the step parameter"
        )
    return start_ns + step_ns * np.arange((end_ns - start_ns) // step_ns + 1, dtype=np.int64)
