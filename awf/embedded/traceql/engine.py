"""Answers TraceQL over a reader of spans. Synchronous and free of state: call it in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from awf.embedded import deadline
from awf.embedded.model import SpanReader
from awf.embedded.traceql import nodes
from awf.embedded.traceql.compare import CompareCollector
from awf.embedded.traceql.expressions import Getter, compile_field, conditions
from awf.embedded.traceql.fields import intrinsic
from awf.embedded.traceql.lines import Lines, to_series
from awf.embedded.traceql.metric_stages import evaluate
from awf.embedded.traceql.metrics import MetricsCollector, Steps
from awf.embedded.traceql.names import attribute_names
from awf.embedded.traceql.parser import parse, parse_field
from awf.embedded.traceql.results import (
    FoundSpan,
    FoundSpanset,
    FoundTrace,
    MetricsResult,
    SearchResult,
)
from awf.embedded.traceql.spansets import Spanset, compile_stage
from awf.embedded.traceql.traces import NO_ROOT, SERVICE_NAME, SpanView, TraceView, group_traces
from awf.embedded.traceql.values import AnyOf, Duration, Kind, Value, text_of, type_name
from awf.errors import QueryError

_NAME = intrinsic("name")
_SHOWN_ELSEWHERE = frozenset(
    intrinsic(name)
    for name in ("name", "duration", "traceDuration", "rootName", "rootServiceName", "trace:id", "span:id")
)
"""Intrinsics that a search result carries in fields of its own."""
_KIND = intrinsic("kind")
_IDS = {intrinsic(name) for name in ("trace:id", "span:id", "span:parentID")}


class Engine:
    """Search, metrics and the names of attributes, over the spans of a reader."""

    def __init__(self, reader: SpanReader) -> None:
        self._reader = reader

    def search(
        self,
        query: str,
        start_ns: int,
        end_ns: int,
        limit: int = 20,
        spans_per_set: int = 3,
        *,
        min_duration_ns: int = 0,
        max_duration_ns: int | None = None,
    ) -> SearchResult:
        """Return the newest traces with a span that starts in [start, end] and spansets that match.

        The durations bound the whole trace. Raises QueryError and its kinds.
        """
        parsed = parse(query).body
        if not isinstance(parsed, nodes.Pipeline):
            raise QueryError(
                f"{_function(parsed)}() is a metrics query and gives no traces",
                hint="Send it to /api/metrics/query_range, or search without the function.",
            )
        columns = _columns(parsed)
        found, traces, spans = [], 0, 0
        for trace, sets in self._evaluate(parsed, start_ns, end_ns):
            traces, spans = traces + 1, spans + len(trace.spans)
            too_short = trace.duration < min_duration_ns
            too_long = max_duration_ns is not None and trace.duration > max_duration_ns
            if sets and not too_short and not too_long:
                found.append(_describe(trace, sets, columns, spans_per_set))
                if len(found) >= limit:
                    break
        return SearchResult(tuple(found), traces, spans)

    def metrics_range(
        self, query: str, start_ns: int, end_ns: int, step_ns: int, *, now_ns: int | None = None
    ) -> MetricsResult:
        """Return one series for each combination of labels, a point a step; steps that are not over at
        `now_ns` are left out. Raises QueryError and its kinds."""
        steps = Steps.aligned(start_ns, end_ns, step_ns)
        return self._metrics(query, steps if now_ns is None else steps.over_at(now_ns))

    def metrics_instant(self, query: str, start_ns: int, end_ns: int) -> MetricsResult:
        """Return one point for the whole range (start, end], stamped with its end."""
        return self._metrics(query, Steps.instant(start_ns, end_ns))

    def attribute_names(
        self, start_ns: int, end_ns: int, *, scope: str = "", query: str = "{}"
    ) -> dict[str, list[str]]:
        """Return the names of attributes on matching spans, by scope. Raises QueryError."""
        return attribute_names(self._matching(query, start_ns, end_ns), scope)

    def attribute_values(
        self, name: str, start_ns: int, end_ns: int, *, query: str = "{}", limit: int = 1000
    ) -> list[tuple[str, str]]:
        """Return (type, text) of the values that `name` (as in TraceQL) has on matching spans, sorted.

        Durations and ids have too many values to be listed: the answer is empty, as Tempo's is.
        """
        field = parse_field(name)
        if field in _IDS:
            return []
        get = compile_field(field)
        values = (value for view in self._matching(query, start_ns, end_ns) for value in _elements(get(view)))
        distinct = {
            (type_name(value), text_of(value)): None for value in values if not isinstance(value, Duration)
        }
        if field == _KIND:
            distinct |= {(type_name(kind), text_of(kind)): None for kind in Kind}
        return sorted(islice(distinct, limit))

    def _matching(self, query: str, start_ns: int, end_ns: int) -> Iterator[SpanView]:
        parsed = parse(query).body
        if not isinstance(parsed, nodes.Pipeline):
            raise QueryError(f"{_function(parsed)}() finds no spans; filter by {{ ... }}")
        for _, sets in self._evaluate(parsed, start_ns, end_ns):
            for found in sets:
                yield from found.spans

    def _metrics(self, query: str, steps: Steps) -> MetricsResult:
        parsed = parse(query).body
        if isinstance(parsed, nodes.Pipeline):
            raise QueryError("not a metrics query; end it with a function, such as | rate()")
        inspected = 0
        measured: dict[nodes.Measured, Lines] = {}

        def measure(leaf: nodes.Measured) -> Lines:
            nonlocal inspected
            if leaf not in measured:
                measured[leaf], spans = self._measure(leaf, steps)
                inspected += spans
            return measured[leaf]

        lines = evaluate(parsed, measure)
        return MetricsResult(to_series(lines.values(), steps.timestamps_ms), inspected)

    def _measure(self, leaf: nodes.Measured, steps: Steps) -> tuple[Lines, int]:
        collector: MetricsCollector | CompareCollector
        if isinstance(leaf.metric, nodes.Comparison):
            collector = CompareCollector(leaf.metric, steps)
        else:
            collector = MetricsCollector(leaf.metric, steps)
        spans = 0
        for trace, sets in self._evaluate(leaf.pipeline, steps.start_ns, steps.end_ns):
            spans += len(trace.spans)
            for found in sets:
                collector.add(found.spans)
        return collector.lines(), spans

    def _evaluate(
        self, pipeline: nodes.Pipeline, start_ns: int, end_ns: int
    ) -> Iterator[tuple[TraceView, list[Spanset]]]:
        step = compile_stage(pipeline)
        for trace in group_traces(self._reader.spans(start_ns, end_ns)):
            deadline.check()
            yield trace, step([Spanset(tuple(trace.spans))])


def _function(series: nodes.Series) -> str:
    """Return the name of the first metrics function, for messages."""
    return next(
        part.function for part in nodes.walk(series) if isinstance(part, (nodes.Metric, nodes.Comparison))
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    """What of each span a search result shows."""

    named: bool
    attributes: tuple[tuple[str, Getter], ...]


def _columns(parsed: nodes.Pipeline) -> _Columns:
    """Return what the query names; `span.foo` and `.foo` are both shown as `foo`."""
    fields = dict.fromkeys(nodes.fields_of(parsed))
    shown = (field for field in fields if field not in _SHOWN_ELSEWHERE)
    tests = conditions(parsed)
    return _Columns(
        _NAME in fields, tuple((field.name, _one_of(field, tests.get(field, ()))) for field in shown)
    )


def _one_of(field: nodes.Field, tests: Sequence[Callable[[Value], bool]]) -> Getter:
    """Of the values that a span's events have, show the last that the query asks for, as Tempo does."""
    get = compile_field(field)

    def one(view: SpanView) -> Value:
        value = get(view)
        if not isinstance(value, AnyOf):
            return value
        return next((item for item in reversed(value) if any(test(item) for test in tests)), value[-1])

    return one


def _describe(trace: TraceView, sets: list[Spanset], columns: _Columns, spans_per_set: int) -> FoundTrace:
    services: dict[str, tuple[int, int]] = {}
    for view in trace.spans:
        service = str(view.span.resource.get(SERVICE_NAME, ""))
        count, errors = services.get(service, (0, 0))
        services[service] = (count + 1, errors + (view.span.status == 2))
    spansets = tuple(
        FoundSpanset(
            tuple(_found(view, columns) for view in found.spans[:spans_per_set]),
            len(found.spans),
            found.attributes,
        )
        for found in sets
    )
    return FoundTrace(
        trace.trace_id,
        trace.root_service or NO_ROOT,
        trace.root_name,
        trace.start_ns,
        trace.duration,
        spansets,
        services,
    )


def _found(view: SpanView, columns: _Columns) -> FoundSpan:
    values = ((name, get(view)) for name, get in columns.attributes)
    attributes = tuple((name, value) for name, value in values if value is not None)
    return FoundSpan(view.span, view.span.name if columns.named else "", attributes)


def _elements(value: Value) -> tuple[Value, ...]:
    """Return each of several values, one, or none."""
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)
