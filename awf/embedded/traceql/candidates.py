"""Which traces can match at all: conditions for the store, so that the others are never read.

Every condition is necessary, none is sufficient: the traces that are left are evaluated in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from awf.embedded import deadline
from awf.embedded.contracts import SpanReader
from awf.embedded.model import SpanCondition, SpanConditions, SpanMention, SpanTest, TraceRef
from awf.embedded.traceql import nodes
from awf.embedded.traceql.nodes import Field, Scope
from awf.embedded.traceql.traces import SERVICE_NAME, TraceView, group_traces
from awf.embedded.traceql.values import KINDS, STATUSES, Kind, Status, Value, flip
from awf.errors import QueryLimit

_COLUMNS: Final = {
    "name": "name",
    "kind": "kind",
    "status": "status",
    "statusMessage": "status_message",
    "duration": "duration_ns",
    "instrumentation:name": "scope_name",
    "instrumentation:version": "scope_version",
    "span:id": "span_id",
    "trace:id": "trace_id",
}
_IDS: Final = {"span:id": 16, "trace:id": 32}
_MENTIONED_IN: Final = {
    Scope.SPAN: ("attributes",),
    Scope.RESOURCE: ("resource",),
    Scope.EVENT: ("events",),
    Scope.LINK: ("links",),
    Scope.NONE: ("attributes", "resource", "events", "links"),
}
MAX_SPANS: Final = 500_000
_NARROW: Final = "Narrow the time range, or add conditions on name, status, kind, duration or attributes."
_WINDOWS: Final = (256, 64, 16, 4, 1)
"""The first look is at the newest 256th of the range."""
_FEW: Final = 20
_FIRST_SPANS: Final = 500
_MOST_SPANS: Final = 20_000
"""Of this many spans objects are made at once."""


def check_spans(traces: Sequence[TraceRef]) -> Sequence[TraceRef]:
    """Return the traces. Raises QueryLimit, before anything is read, when they have too many spans."""
    spans = sum(trace.spans for trace in traces)
    if spans > MAX_SPANS:
        raise QueryLimit(
            f"the query would read about {spans:,} spans of {len(traces):,} traces, more than {MAX_SPANS:,}",
            hint=_NARROW,
        )
    return traces


def check_read(spans: int) -> None:
    """Raise QueryLimit when a search has read too many spans without finding enough."""
    if spans > MAX_SPANS:
        raise QueryLimit(f"the search has read {MAX_SPANS:,} spans without an end", hint=_NARROW)


def newest_first(
    reader: SpanReader, start_ns: int, end_ns: int, where: Sequence[SpanCondition]
) -> Iterator[TraceRef]:
    """Yield the traces as `SpanReader.traces` does, without listing the old ones before they are needed."""
    upper, parts = end_ns, list(_WINDOWS)
    later: dict[str, TraceRef] = {}
    while parts:
        part = parts.pop(0)
        lower = end_ns - (end_ns - start_ns) // part if part > 1 else start_ns
        found = reader.traces(lower, upper, where)
        for trace in found:
            if trace.first_ns >= lower:
                later.pop(trace.trace_id, None)
                yield trace
            else:
                later[trace.trace_id] = trace
        upper = lower - 1
        if len(found) < _FEW:  # the rest is listed at once
            parts = parts[-1:]
    yield from sorted(later.values(), key=lambda trace: (-trace.first_ns, trace.trace_id))


def read_traces(reader: SpanReader, traces: Iterable[TraceRef]) -> Iterator[TraceView]:
    """Yield the traces in their order; they are read a few at a time, more each time."""
    size, batch, spans = _FIRST_SPANS, [], 0
    for trace in traces:
        batch.append(trace)
        spans += trace.spans
        if spans >= size:
            yield from _read(reader, batch)
            size, batch, spans = min(size * 4, _MOST_SPANS), [], 0
    yield from _read(reader, batch)


def _read(reader: SpanReader, traces: Sequence[TraceRef]) -> Iterator[TraceView]:
    if not traces:
        return
    for trace in group_traces(reader.spans_of(traces)):
        deadline.check()
        yield trace


def conditions_of(pipeline: nodes.Pipeline) -> tuple[SpanCondition, ...]:
    """Return conditions for each of which a matching trace has some span."""
    return tuple(found for stage in pipeline.stages for found in _stage(stage))


def _stage(stage: nodes.Stage) -> tuple[SpanCondition, ...]:
    match stage:
        case nodes.Pipeline():
            return conditions_of(stage)
        case nodes.Filter():
            found = _expression(stage.expression)
            return () if found is None else (found,)
        case nodes.SpansetLogic(op="&&"):
            return tuple(found for operand in stage.operands for found in _stage(operand))
        case nodes.SpansetLogic():
            return _one_of([_stage(operand) for operand in stage.operands])
        case nodes.Structural():
            right = _stage(stage.right)
            return right if stage.op.startswith("!") else (*_stage(stage.left), *right)
    return ()


def _one_of(sides: Sequence[tuple[SpanCondition, ...]]) -> tuple[SpanCondition, ...]:
    if not all(sides):
        return ()
    return (SpanConditions(tuple(side[0] for side in sides), is_all=False),)


def _expression(expression: nodes.Expression) -> SpanCondition | None:
    """Return what every span has for which the expression is true; None when nothing can be said."""
    match expression:
        case nodes.Logic():
            parts = [_expression(operand) for operand in expression.operands]
            known = tuple(part for part in parts if part is not None)
            if expression.op == "||":
                return SpanConditions(known, is_all=False) if len(known) == len(parts) else None
            return SpanConditions(known, is_all=True) if known else None
        case nodes.Compare(op=op, left=Field() as field, right=nodes.Literal(value=value)):
            return _comparison(field, op, value)
        case nodes.Compare(op=op, left=nodes.Literal(value=value), right=Field() as field):
            return _comparison(field, flip(op), value)
        case nodes.Unary(op="exists", operand=Field() as field) | (Field() as field):
            return _mention(field)
    return None


def _comparison(field: Field, op: str, value: Value) -> SpanCondition | None:
    if field.scope is not Scope.INTRINSIC:
        found = _mention(field)
        if op == "=" and isinstance(value, str) and value:
            texts = tuple(SpanMention(column, value, is_key=False) for column in _MENTIONED_IN[field.scope])
            parts = (SpanConditions(texts, is_all=False), *((found,) if found else ()))
            return SpanConditions(parts, is_all=True)
        return found
    if field.name in _IDS and isinstance(value, str):
        wanted = value.lower().rjust(_IDS[field.name], "0") if field.name == "trace:id" else value
        return SpanTest(_COLUMNS[field.name], "=", wanted) if op == "=" else None
    if field.name == "event:name" and op == "=" and isinstance(value, str) and value:
        return SpanMention("events", value, is_key=False)
    column = _COLUMNS.get(field.name)
    if column is None or op == "!~":
        return None
    return _column(column, op, value)


def _column(column: str, op: str, value: Value) -> SpanCondition | None:
    """OTLP's numbers stand for kinds and statuses; the store has none but those it knows."""
    if isinstance(value, Status):
        return SpanTest(column, op, STATUSES.index(value))
    if isinstance(value, Kind):
        return SpanTest(column, op, KINDS.index(value))
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return SpanTest(column, op, value if isinstance(value, (str, float)) else int(value))


def _mention(field: Field) -> SpanCondition | None:
    """The attribute must be there; a service has a name even where it is not sent."""
    if field.scope is Scope.INTRINSIC or field.name == SERVICE_NAME:
        return None
    parts = tuple(SpanMention(column, field.name, is_key=True) for column in _MENTIONED_IN[field.scope])
    return SpanConditions(parts, is_all=False)
