"""The PromQL engine over a sample reader: instant and range queries. Synchronous and thread safe."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from awf.embedded.contracts import SampleReader
from awf.embedded.model import SeriesData
from awf.embedded.promql import extended
from awf.embedded.promql.durations import resolved
from awf.embedded.promql.evaluator import evaluate, raw_series
from awf.embedded.promql.functions import Value
from awf.embedded.promql.notes import Notes
from awf.embedded.promql.parser import parse
from awf.embedded.promql.range_cache import RangeCache, Window
from awf.embedded.promql.reach import is_pointwise
from awf.embedded.promql.selection import Context, is_stale
from awf.embedded.promql.syntax import Node, RangeSelector, Subquery, bare, kind
from awf.embedded.promql.values import Ints, Scalar, String, Vector, VectorSample, sort_key, without_dropped
from awf.errors import QueryError, QueryLimit

MAX_POINTS = 11_000
_KIND_NAMES = {"matrix": "range vector", "string": "string"}

InstantResult = Scalar | String | list[VectorSample] | list[SeriesData]


class Engine:
    """Answers PromQL with the semantics of Prometheus 3 (left-open ranges and lookback).

    `closed_ranges` brings back Prometheus 2's closed ones; only the comparison with Debian's 2.42 uses it.
    `delays_names` keeps dropped metric names in sight to the end of a query, as Prometheus does when its
    feature flag promql-delayed-name-removal is set. With `kept`, range queries are evaluated only where they
    are new; its changes are the reader's.
    """

    def __init__(
        self,
        reader: SampleReader,
        *,
        lookback_ms: int = 300_000,
        closed_ranges: bool = False,
        delays_names: bool = False,
        kept: RangeCache | None = None,
    ) -> None:
        self._reader = reader
        self._lookback_ms = lookback_ms
        self._closed_ranges = closed_ranges
        self._delays_names = delays_names
        self._kept = kept

    def instant(self, query: str, at_ms: int, notes: Notes | None = None) -> InstantResult:
        """Evaluate at one time; warnings and infos go to `notes`. Raises QueryError, UnsupportedQuery or
        QueryLimit."""
        context = self._context(at_ms, at_ms, 1, notes or Notes(query))
        node = bare(resolved(parse(query), step_ms=0, range_ms=0))
        with np.errstate(all="ignore"):
            if isinstance(node, RangeSelector | Subquery):
                return _raw(node, context)
            value = evaluate(node, replace(context, step_ms=0))
            if isinstance(value, Vector):
                value = without_dropped(value)
        if isinstance(value, str):
            return String(at_ms, value)
        if isinstance(value, Vector):
            column, present = value.values[:, 0].tolist(), value.present[:, 0].tolist()
            return [
                VectorSample(labels, at_ms, number)
                for labels, number, here in zip(value.labels, column, present, strict=True)
                if here
            ]
        return Scalar(at_ms, float(value[0]))

    def range(
        self, query: str, start_ms: int, end_ms: int, step_ms: int, notes: Notes | None = None
    ) -> list[SeriesData]:
        """Evaluate at start, start + step, ... up to end, series sorted by labels. Raises QueryError,
        UnsupportedQuery or QueryLimit (more than 11,000 points a series)."""
        check_range(start_ms, end_ms, step_ms)
        node = parse(query)
        check_kind(node)
        notes = notes or Notes(query)
        window = Window(start_ms, end_ms, step_ms)
        if self._kept is not None and kind(node) == "vector" and is_pointwise(node):
            value: Value = self._kept.vector(query, window, partial(self._vector, node, step_ms), notes)
        else:
            value = self._evaluated(node, window, notes)
        return _series(value, window.times)

    def _vector(self, node: Node, step_ms: int, start_ms: int, end_ms: int, notes: Notes) -> Vector:
        value = self._evaluated(node, Window(start_ms, end_ms, step_ms), notes)
        if not isinstance(value, Vector):
            raise TypeError("an expression of the type vector has another value")
        return value

    def _evaluated(self, node: Node, window: Window, notes: Notes) -> Value:
        node = resolved(node, step_ms=window.step_ms, range_ms=window.end_ms - window.start_ms)
        context = self._context(window.start_ms, window.end_ms, window.step_ms, notes)
        with np.errstate(all="ignore"):
            value = evaluate(node, context)
            return without_dropped(value) if isinstance(value, Vector) else value

    def _context(self, start_ms: int, end_ms: int, step_ms: int, notes: Notes) -> Context:
        return Context(
            reader=self._reader,
            times=np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64),
            start_ms=start_ms,
            end_ms=end_ms,
            lookback_ms=self._lookback_ms,
            closed_ranges=self._closed_ranges,
            step_ms=step_ms,
            delays_names=self._delays_names,
            notes=notes,
        )


def _series(value: Value, times: Ints) -> list[SeriesData]:
    """Return a value over a range as series, sorted by their labels."""
    if isinstance(value, str):
        raise QueryError("a string has no values over a range")
    if not isinstance(value, Vector):
        return [SeriesData({}, times, value)]
    series = [
        SeriesData(labels, times[here], row[here])
        for labels, row, here in zip(value.labels, value.values, value.present, strict=True)
        if here.any()
    ]
    return sorted(series, key=lambda item: sort_key(item.labels))


def check_range(start_ms: int, end_ms: int, step_ms: int) -> None:
    """Raise QueryError for a range that is none, QueryLimit for one with too many points."""
    if end_ms < start_ms:
        raise QueryError("end timestamp must not be before start time")
    if step_ms <= 0:
        raise QueryError(
            "zero or negative query resolution step widths are not accepted. Try a positive integer"
        )
    if (end_ms - start_ms) // step_ms > MAX_POINTS:
        raise QueryLimit(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
            "resolution (?step=XX)"
        )


def check_kind(node: Node) -> None:
    """Raise QueryError for an expression that has no value at each step of a range."""
    if kind(node) not in ("scalar", "vector"):
        raise QueryError(
            f'invalid expression type "{_KIND_NAMES[kind(node)]}" for range query, must be Scalar or '
            "instant Vector"
        )


def _raw(node: RangeSelector | Subquery, context: Context) -> list[SeriesData]:
    """Return the samples themselves, without stale markers."""
    series, ends = raw_series(node, context)
    bounds = int(ends[0]) - node.range_ms, int(ends[0])
    found = []
    for item in series:
        if isinstance(node, RangeSelector) and node.selector.extension:
            fresh = ~is_stale(item.values)
            smooth = node.selector.extension == "smoothed"
            times, values = extended.raw(item.timestamps_ms[fresh], item.values[fresh], bounds, smooth=smooth)
        else:
            after = (
                item.timestamps_ms >= bounds[0] if context.closed_ranges else item.timestamps_ms > bounds[0]
            )
            here = after & (item.timestamps_ms <= bounds[1]) & ~is_stale(item.values)
            times, values = item.timestamps_ms[here], item.values[here]
        if len(times):
            found.append(SeriesData(item.labels, times, values))
    return sorted(found, key=lambda item: sort_key(item.labels))
