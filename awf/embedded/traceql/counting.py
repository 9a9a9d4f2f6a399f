"""Metrics of spans that the store has counted: those that look alike to a query are looked at once.

Only for a single filter over what a span says of itself and its resource. The query is evaluated by the same
code as elsewhere, on one span for each group.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from awf.embedded import deadline
from awf.embedded.contracts import SpanReader
from awf.embedded.model import ATTRIBUTE, Span, SpanGroup, SpanTest
from awf.embedded.traceql import nodes
from awf.embedded.traceql.candidates import conditions_of
from awf.embedded.traceql.conditions import Request
from awf.embedded.traceql.expressions import compile_test
from awf.embedded.traceql.fields import intrinsic
from awf.embedded.traceql.lines import Line, Lines, by_key, sparse
from awf.embedded.traceql.metrics import (
    BUCKET_LABEL,
    BUCKETED,
    MAX_SERIES,
    Steps,
    compile_group,
    fill_of,
    labels_of,
    log2_quantile,
    measure_of,
)
from awf.embedded.traceql.nodes import Field, Scope
from awf.embedded.traceql.seen import first_pass, second_pass
from awf.embedded.traceql.traces import TraceView
from awf.embedded.traceql.values import Duration, Value, flip
from awf.errors import QueryLimit

_NS: Final = 1_000_000_000
_DURATION: Final = intrinsic("duration")
_COLUMNS: Final = {
    intrinsic("name"): "name",
    intrinsic("kind"): "kind",
    intrinsic("status"): "status",
    intrinsic("statusMessage"): "status_message",
    intrinsic("instrumentation:name"): "scope_name",
    intrinsic("instrumentation:version"): "scope_version",
}
_SIZE: Final = "size"
_ORDER: Final = ("=", "!=", "<", "<=", ">", ">=")
_EMPTY: Final = Span("0" * 32, "0" * 15 + "1", "", "", 0, 0, 0)


@dataclass(slots=True)
class _Cell:
    """The spans of one step and one group of labels."""

    spans: int = 0
    shortest: float = math.inf
    longest: float = -math.inf
    total: float = 0.0
    bounds: Counter[float] = field(default_factory=Counter)

    def add(self, spans: int, shortest: float, longest: float, total: float) -> None:
        self.spans += spans
        self.shortest = min(self.shortest, shortest)
        self.longest = max(self.longest, longest)
        self.total += total


def count(
    reader: SpanReader, leaf: nodes.Measured, request: Request, steps: Steps
) -> tuple[Lines, int] | None:
    """Return the lines of a leaf and how many spans were counted; None when it has to be read in full."""
    metric = leaf.metric
    if not isinstance(metric, nodes.Metric) or len(leaf.pipeline.stages) != 1:
        return None
    stage = leaf.pipeline.stages[0]
    columns = _columns(stage, metric, request)
    if columns is None or not isinstance(stage, nodes.Filter):
        return None
    is_sized = metric.function in BUCKETED and metric.field == _DURATION
    tests = _duration_tests(stage.expression)
    groups = reader.span_groups(
        steps.start_ns,
        steps.end_ns,
        bucket_ns=steps.step_ns,
        columns=[*columns, *([_SIZE] if is_sized else [])],
        tests=tests,
        where=conditions_of(leaf.pipeline),
    )
    if groups is None:
        return None
    found = _Found(metric, steps, _Look(stage, metric, request, columns))
    for group in groups:
        deadline.check()
        found.add(group, group.values[len(columns)] if is_sized else 0)
    return found.lines(), sum(cell.spans for group in groups for cell in group.cells)


def _columns(stage: nodes.Stage, metric: nodes.Metric, request: Request) -> list[str] | None:
    """Return the columns that decide the answer, or None when others do too."""
    measured = [metric.field] if metric.field and metric.field != _DURATION else []
    if measured and metric.function == "sum_over_time":
        return None  # it has to be known which spans have no number
    asked = list(nodes.fields_of(stage))
    if metric.field == _DURATION and _DURATION in asked and not request.are_all_needed:
        return None  # durations that were asked about and did not fit are hidden from what measures them
    found: dict[str, None] = {}
    for item in (*asked, *metric.by, *measured):
        if item.scope in {Scope.SPAN, Scope.NONE}:
            found[ATTRIBUTE + item.name] = None
        if item.scope in {Scope.RESOURCE, Scope.NONE}:
            found["resource"] = None
        elif item in _COLUMNS:
            found[_COLUMNS[item]] = None
        elif item.scope is not Scope.SPAN and (item != _DURATION or item in metric.by):
            return None
    compared = sum(1 for part in nodes.walk(stage) if _is_duration_test(part))
    return list(found) if asked.count(_DURATION) == compared else None  # type: ignore[arg-type]


def _is_duration_test(part: object) -> bool:
    match part:
        case nodes.Compare(op=op, left=Field() as item, right=nodes.Literal(value=value)):
            pass
        case nodes.Compare(op=op, left=nodes.Literal(value=value), right=Field() as item):
            pass
        case _:
            return False
    return item == _DURATION and op in _ORDER and type(value) in {int, float, Duration}


def _duration_tests(expression: nodes.Expression) -> list[SpanTest]:
    """Return the comparisons of durations as written and with their sides exchanged: Tempo reads both."""
    found: dict[SpanTest, None] = {}
    for part in nodes.walk(expression):
        match part:
            case nodes.Compare(op=op, left=Field() as item, right=nodes.Literal(value=value)):
                pass
            case nodes.Compare(op=op, left=nodes.Literal(value=value), right=Field() as item):
                pass
            case _:
                continue
        if item == _DURATION and isinstance(value, (int, float)):
            number = float(value) if type(value) is float else int(value)
            for symbol in (op, flip(op)):
                found[SpanTest("duration_ns", symbol, number)] = None
    return list(found)


class _Look:
    """Evaluates the query on one span that stands for a group."""

    def __init__(
        self, stage: nodes.Filter, metric: nodes.Metric, request: Request, columns: Sequence[str]
    ) -> None:
        self._columns = columns
        self._first, self._second = first_pass(request), second_pass(request)
        self._test = compile_test(stage.expression)
        self._by: list[Callable[..., Value]] = [compile_group(item) for item in metric.by]
        self._measure = measure_of(metric)

    def at(self, group: SpanGroup) -> tuple[tuple[Value, ...], float | None] | None:
        """Return the group's values of `by` and what is measured; None when its spans do not match."""
        own: dict[str, Any] = {}
        given: dict[str, Any] = {}
        for column, value in zip(self._columns, group.values, strict=False):
            if not column.startswith(ATTRIBUTE):
                given[column] = json.loads(value) if column == "resource" else value
            elif value is not None:
                own[column.removeprefix(ATTRIBUTE)] = json.loads(value)
        span = replace(_EMPTY, end_ns=group.cells[0].shortest_ns, attributes=own, **given)
        for seen in self._first.first(TraceView(span.trace_id, [span])):
            if self._test(seen):
                if self._second:
                    self._second.again(seen)
                return tuple(get(seen) for get in self._by), self._measure(seen)
        return None


class _Found:
    """Cells by labels and step."""

    def __init__(self, metric: nodes.Metric, steps: Steps, look: _Look) -> None:
        self._metric = metric
        self._steps = steps
        self._look = look
        self._unit = _NS if metric.field == _DURATION else 1
        self._groups: dict[tuple[tuple[type, Value], ...], tuple[tuple[Value, ...], dict[int, _Cell]]] = {}

    def add(self, group: SpanGroup, size: int) -> None:
        """Count a group; `size` is that of its spans' durations, where these are measured in sizes."""
        looked = self._look.at(group)
        if looked is None:
            return
        labels, value = looked
        if value is None:
            return  # there is no number, or no bucket for it
        key = tuple((type(label), label) for label in labels)
        if key not in self._groups:
            if len(self._groups) >= MAX_SERIES:
                raise QueryLimit(f"more than {MAX_SERIES} series", hint="Group by fewer or other attributes.")
            self._groups[key] = labels, {}
        cells = self._groups[key][1]
        is_bucketed = self._metric.function in BUCKETED
        bound = (1 << size) / _NS if size else value
        for bucket, spans, shortest, longest, total in group.cells:
            cell = cells.get(bucket)
            if cell is None:
                cell = cells[bucket] = _Cell()
            if is_bucketed:
                cell.bounds[bound] += spans
            elif self._unit == 1:
                cell.add(spans, value, value, value * spans)
            else:
                cell.add(spans, shortest, longest, total)

    def lines(self) -> Lines:
        if not self._groups and not self._metric.by and self._metric.function in {"rate", "count_over_time"}:
            self._groups[()] = (), {}
        return by_key(line for labels, cells in self._groups.values() for line in self._expand(labels, cells))

    def _expand(self, values: tuple[Value, ...], cells: dict[int, _Cell]) -> Iterable[Line]:
        labels, metric = labels_of(self._metric, values), self._metric
        if metric.function == "quantile_over_time":
            for q in metric.quantiles:
                points = {at: log2_quantile(q, cell.bounds) for at, cell in cells.items()}
                yield self._line((*labels, ("p", q)), points)
        elif metric.function == "histogram_over_time":
            for bound in sorted({bound for cell in cells.values() for bound in cell.bounds}):
                counts = {at: float(cell.bounds[bound]) for at, cell in cells.items()}
                yield self._line((*labels, (BUCKET_LABEL, bound)), counts)
        else:
            yield self._line(labels, {at: self._reduce(cell) for at, cell in cells.items()})

    def _line(self, labels: Any, points: dict[int, float]) -> Line:
        return Line(labels, sparse(points, self._steps.count, fill=fill_of(self._metric)))

    def _reduce(self, cell: _Cell) -> float:
        match self._metric.function:
            case "rate":
                return cell.spans / (self._steps.step_ns / _NS)
            case "min_over_time":
                return cell.shortest / self._unit
            case "max_over_time":
                return cell.longest / self._unit
            case "sum_over_time":
                return cell.total / self._unit
            case "avg_over_time":
                return cell.total / cell.spans / self._unit
        return float(cell.spans)
