"""Answers TraceQL over a reader of spans. Synchronous and free of state: call it in threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from awf.embedded.contracts import SpanReader
from awf.embedded.model import Span, TraceRef
from awf.embedded.traceql import nodes
from awf.embedded.traceql.candidates import check_read, check_spans, conditions_of, newest_first, read_traces
from awf.embedded.traceql.compare import CompareCollector
from awf.embedded.traceql.conditions import EXISTS, Condition, Request, add_measured, request_of
from awf.embedded.traceql.counting import count
from awf.embedded.traceql.exemplars import attach
from awf.embedded.traceql.expressions import compile_expression
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
from awf.embedded.traceql.seen import Reading, SeenSpan, first_pass, second_pass
from awf.embedded.traceql.spansets import Spanset, compile_stage
from awf.embedded.traceql.traces import NO_ROOT, SERVICE_NAME, SpanView, TraceView
from awf.embedded.traceql.values import Duration, Kind, Value, text_of, type_name
from awf.errors import QueryError

_NAME = intrinsic("name")
_SHOWN_ELSEWHERE = frozenset(
    intrinsic(name)
    for name in ("name", "duration", "traceDuration", "rootName", "rootServiceName", "trace:id", "span:id")
)
"""Intrinsics that a search result carries in fields of its own."""
_KIND = intrinsic("kind")
_IDS = {intrinsic(name) for name in ("trace:id", "span:id", "span:parentID")}


MAX_LISTED_SPANS = 100_000
"""Of this many spans, the newest, the names and values of attributes are listed."""
MAX_EXAMPLE_SPANS = 2_000
"""Among this many spans of each part of a range exemplars are looked for."""
_NOTHING = SeenSpan(SpanView(Span("", "", "", "", 0, 0, 0), TraceView("", ())))
"""A span without any value, to compute what needs none."""


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
        """Return the newest traces with a span that begins or runs in [start, end] and spansets that match.

        The durations bound the whole trace. Raises QueryError and its kinds.
        """
        parsed = parse(query).body
        if not isinstance(parsed, nodes.Pipeline):
            raise QueryError(
                f"{_function(parsed)}() is a metrics query and gives no traces",
                hint="Send it to /api/metrics/query_range, or search without the function.",
            )
        request = request_of(parsed)
        shows = second_pass(request)
        found, traces, spans = [], 0, 0
        for trace, sets in self._evaluate(parsed, request, start_ns, end_ns, is_whole=False):
            traces, spans = traces + 1, spans + len(trace.spans)
            check_read(spans)
            too_short = trace.duration < min_duration_ns
            too_long = max_duration_ns is not None and trace.duration > max_duration_ns
            if sets and not too_short and not too_long:
                found.append(_describe(trace, sets, shows, spans_per_set))
                if len(found) >= limit:
                    break
        return SearchResult(tuple(found), traces, spans)

    def metrics_range(
        self,
        query: str,
        start_ns: int,
        end_ns: int,
        step_ns: int,
        *,
        now_ns: int | None = None,
        exemplars: int = 0,
    ) -> MetricsResult:
        """Return one series for each combination of labels, a point a step; steps that are not over at
        `now_ns` are left out. The hint `exemplars` goes before the number that is asked for.

        Raises QueryError and its kinds.
        """
        steps = Steps.aligned(start_ns, end_ns, step_ns)
        steps = steps if now_ns is None else steps.over_at(now_ns)
        result, parsed = self._metrics(query, steps), parse(query)
        if isinstance(parsed.body, nodes.Pipeline):
            return result
        wanted = exemplars if parsed.exemplars is None else parsed.exemplars
        return replace(result, series=attach(parsed.body, result.series, steps, wanted, self._examples))

    def metrics_instant(self, query: str, start_ns: int, end_ns: int) -> MetricsResult:
        """Return one point for the whole range (start, end], stamped with its end."""
        return self._metrics(query, Steps.instant(start_ns, end_ns))

    def attribute_names(
        self, start_ns: int, end_ns: int, *, scope: str = "", query: str = "{}"
    ) -> dict[str, list[str]]:
        """Return the names of attributes on matching spans, by scope. Raises QueryError."""
        return attribute_names((seen.view for seen in self._matching(query, start_ns, end_ns)), scope)

    def attribute_values(
        self, name: str, start_ns: int, end_ns: int, *, query: str = "{}", limit: int = 1000
    ) -> list[tuple[str, str]]:
        """Return (type, text) of the values that `name` (as in TraceQL) has on matching spans, sorted.

        Durations and ids have too many values to be listed: the answer is empty, as Tempo's is.
        """
        field = parse_field(name)
        if field in _IDS:
            return []
        reading = Reading([Condition(field, EXISTS)])
        values = (
            value
            for seen in self._matching(query, start_ns, end_ns)
            for value in _values(field, seen.view, reading)
        )
        distinct = {
            (type_name(value), text_of(value)): None for value in values if not isinstance(value, Duration)
        }
        if field == _KIND:
            distinct |= {(type_name(kind), text_of(kind)): None for kind in Kind}
        return sorted(islice(distinct, limit))

    def _matching(self, query: str, start_ns: int, end_ns: int) -> Iterator[SeenSpan]:
        parsed = parse(query).body
        if not isinstance(parsed, nodes.Pipeline):
            raise QueryError(f"{_function(parsed)}() finds no spans; filter by {{ ... }}")
        read = 0
        for trace, sets in self._evaluate(parsed, request_of(parsed), start_ns, end_ns, is_whole=False):
            for found in sets:
                yield from found.spans
            read += len(trace.spans)
            if read > MAX_LISTED_SPANS:
                return

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

        leaves = [part for part in nodes.walk(parsed) if isinstance(part, nodes.Measured)]
        if all(_is_empty(leaf.pipeline) for leaf in leaves):
            return MetricsResult((), 0)
        lines = evaluate(parsed, measure)
        return MetricsResult(to_series(lines.values(), steps.timestamps_ms), inspected)

    def _measure(self, leaf: nodes.Measured, steps: Steps) -> tuple[Lines, int]:
        request = request_of(leaf.pipeline)
        collector: MetricsCollector | CompareCollector
        if isinstance(leaf.metric, nodes.Comparison):
            collector = CompareCollector(leaf.metric, steps)
        else:
            add_measured(request, leaf.metric)
            counted = count(self._reader, leaf, request, steps)
            if counted is not None:
                return counted
            collector = MetricsCollector(leaf.metric, steps)
        reads = second_pass(request)
        spans = 0
        for trace, sets in self._evaluate(leaf.pipeline, request, steps.start_ns, steps.end_ns):
            spans += len(trace.spans)
            for found in sets:
                for seen in found.spans:
                    if reads:
                        reads.again(seen)
                collector.add(found.spans)
        return collector.lines(), spans

    def _examples(self, leaf: nodes.Measured, start_ns: int, end_ns: int) -> Iterator[SeenSpan]:
        """Yield one matching span a trace, the newest trace first."""
        request = request_of(leaf.pipeline)
        if isinstance(leaf.metric, nodes.Metric):
            add_measured(request, leaf.metric)
        reads, read = second_pass(request), 0
        for trace, sets in self._evaluate(leaf.pipeline, request, start_ns + 1, end_ns, is_whole=False):
            read += len(trace.spans)
            if read > MAX_EXAMPLE_SPANS:
                return
            spans = (seen for found in sets for seen in found.spans)
            seen = next((one for one in spans if start_ns < one.span.start_ns <= end_ns), None)
            if seen:
                if reads:
                    reads.again(seen)
                yield seen

    def _evaluate(
        self,
        pipeline: nodes.Pipeline,
        request: Request,
        start_ns: int,
        end_ns: int,
        *,
        is_whole: bool = True,
    ) -> Iterator[tuple[TraceView, list[Spanset]]]:
        step, reading = compile_stage(pipeline), first_pass(request)
        where = conditions_of(pipeline)
        traces: Iterable[TraceRef]
        if is_whole:
            traces = check_spans(self._reader.traces(start_ns, end_ns, where))
        else:
            traces = newest_first(self._reader, start_ns, end_ns, where)
        for trace in read_traces(self._reader, traces):
            seen = reading.first(trace)
            yield trace, step([Spanset(tuple(seen))]) if seen else []


def _is_empty(pipeline: nodes.Pipeline) -> bool:
    """Whether a pipeline says itself that it finds nothing: `{ false }`."""
    return any(
        isinstance(stage, nodes.Filter)
        and not any(nodes.fields_of(stage))
        and compile_expression(stage.expression)(_NOTHING) is not True
        for stage in pipeline.stages[:1]
    )


def _function(series: nodes.Series) -> str:
    """Return the name of the first metrics function, for messages."""
    return next(
        part.function for part in nodes.walk(series) if isinstance(part, (nodes.Metric, nodes.Comparison))
    )


def _describe(trace: TraceView, sets: list[Spanset], shows: Reading | None, spans_per_set: int) -> FoundTrace:
    services: dict[str, tuple[int, int]] = {}
    for view in trace.spans:
        service = str(view.span.resource.get(SERVICE_NAME, ""))
        count, errors = services.get(service, (0, 0))
        services[service] = (count + 1, errors + (view.span.status == 2))
    spansets = tuple(
        FoundSpanset(
            tuple(_found(seen, shows) for seen in found.spans[:spans_per_set]),
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


def _found(seen: SeenSpan, shows: Reading | None) -> FoundSpan:
    if shows:
        shows.again(seen)
    shown = seen.shown()
    attributes = [(field.name, value) for field, value in shown.items() if field not in _SHOWN_ELSEWHERE]
    attributes.sort(key=lambda item: item[0])
    return FoundSpan(seen.span, seen.span.name if _NAME in shown else "", tuple(attributes))


def _values(field: nodes.Field, view: SpanView, reading: Reading) -> Iterator[Value]:
    """Yield every value that a span has of a field, of arrays each element."""
    seen = SeenSpan(view)
    reading.again(seen)
    for pairs in (seen.own, seen.resource, seen.trace, seen.events, seen.links, seen.scope):
        for known, value in pairs:
            if known == field or known.name == field.name:
                yield from value if isinstance(value, tuple) else () if value is None else (value,)
