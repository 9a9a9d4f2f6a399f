"""Pipelines compiled to functions from spansets of one trace to spansets of the same trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from awf.embedded.traceql import nodes
from awf.embedded.traceql.expressions import Getter, Test, compile_expression, compile_test
from awf.embedded.traceql.relations import relate
from awf.embedded.traceql.traces import SpanView
from awf.embedded.traceql.types import is_many
from awf.embedded.traceql.values import Comparison, Duration, Type, Value, comparison, type_of
from awf.errors import UnsupportedQuery


@dataclass(frozen=True, slots=True)
class Spanset:
    """Spans of one trace that belong together, and what the pipeline found out about them."""

    spans: tuple[SpanView, ...]
    attributes: tuple[tuple[str, Value], ...] = ()


Step = Callable[[Sequence[Spanset]], list[Spanset]]


def compile_stage(stage: nodes.Stage) -> Step:
    """Return the function that a stage stands for; spansets that become empty are dropped."""
    match stage:
        case nodes.Select() | nodes.Filter(expression=nodes.Literal(value=True)):
            return list  # every span stays
        case nodes.Filter():
            return _filter(stage)
        case nodes.Pipeline():
            return _pipeline(stage)
        case nodes.SpansetLogic():
            return _logic(stage)
        case nodes.Structural():
            return _structural(stage)
        case nodes.ScalarFilter():
            return _scalar_filter(stage)
        case nodes.GroupBy():
            return _group_by(stage)
        case nodes.Coalesce():
            return _coalesce


def _coalesce(sets: Sequence[Spanset]) -> list[Spanset]:
    return [Spanset(tuple(view for one in sets for view in one.spans))] if sets else []


def _filter(stage: nodes.Filter) -> Step:
    test = compile_test(stage.expression)
    if any(is_many(field) for field in nodes.fields_of(stage.expression)):
        test = _of_one_event(test)

    def step(sets: Sequence[Spanset]) -> list[Spanset]:
        kept = (replace(one, spans=tuple(filter(test, one.spans))) for one in sets)
        return [one for one in kept if one.spans]

    return step


def _of_one_event(test: Test) -> Test:
    """All that a filter says of events must hold for one of them, and so for links."""

    def run(view: SpanView) -> bool:
        span = view.span
        if len(span.events) < 2 and len(span.links) < 2:
            return test(view)
        each_event = [[event] for event in span.events] or [[]]
        each_link = [[link] for link in span.links] or [[]]
        return any(
            test(SpanView(replace(span, events=events, links=links), view.trace))
            for events, links in product(each_event, each_link)
        )

    return run


def _pipeline(stage: nodes.Pipeline) -> Step:
    steps = [compile_stage(part) for part in stage.stages]

    def run(sets: Sequence[Spanset]) -> list[Spanset]:
        current = list(sets)
        for step in steps:
            if not current:
                break
            current = step(current)
        return current

    return run


def _logic(stage: nodes.SpansetLogic) -> Step:
    """Each operand sees the same spans; `&&` keeps them when every operand found some."""
    steps = [compile_stage(operand) for operand in stage.operands]
    enough = all if stage.op == "&&" else any

    def combine(one: Spanset) -> tuple[SpanView, ...]:
        found = [step([one]) for step in steps]
        if not enough(found):
            return ()
        return tuple(dict.fromkeys(view for sets in found for part in sets for view in part.spans))

    return _per_spanset(combine)


def _structural(stage: nodes.Structural) -> Step:
    left, right = compile_stage(stage.left), compile_stage(stage.right)

    def combine(one: Spanset) -> tuple[SpanView, ...]:
        return tuple(relate(stage.op, _single(left([one]), stage.op), _single(right([one]), stage.op)))

    return _per_spanset(combine)


def _single(sets: list[Spanset], op: str) -> tuple[SpanView, ...]:
    if len(sets) > 1:
        raise UnsupportedQuery(
            f"the spanset operator {op} after by() is not supported", hint="Put coalesce() after by()."
        )
    return sets[0].spans if sets else ()


def _per_spanset(combine: Callable[[Spanset], tuple[SpanView, ...]]) -> Step:
    def step(sets: Sequence[Spanset]) -> list[Spanset]:
        combined = (replace(one, spans=combine(one)) for one in sets)
        return [one for one in combined if one.spans]

    return step


def _group_by(stage: nodes.GroupBy) -> Step:
    get, name = compile_expression(stage.expression), f"by({stage.expression})"

    def step(sets: Sequence[Spanset]) -> list[Spanset]:
        result = []
        for one in sets:
            groups: dict[tuple[type, Value], list[SpanView]] = {}
            for view in one.spans:
                value = get(view)
                groups.setdefault((type(value), value), []).append(view)
            result += [
                Spanset(tuple(spans), (*one.attributes, (name, value)))
                for (_, value), spans in groups.items()
            ]
        return result

    return step


def _scalar_filter(stage: nodes.ScalarFilter) -> Step:
    aggregate = stage.aggregate
    get = compile_expression(aggregate.operand) if aggregate.operand else None
    test, name = comparison(stage.op), str(aggregate)

    def step(sets: Sequence[Spanset]) -> list[Spanset]:
        result = []
        for one in sets:
            value = _aggregate(aggregate.function, get, one.spans)
            if _passes(test, value, stage.value):
                result.append(replace(one, attributes=(*one.attributes, (name, value))))
        return result

    return step


def _passes(test: Comparison, value: Value, limit: int | float) -> bool:
    return value is not None and test(value, limit)


def _aggregate(function: str, get: Getter | None, spans: Sequence[SpanView]) -> Value:
    """Return the aggregate over the spans that have a number; None when none has."""
    if get is None:
        return len(spans)
    numbers = [value for value in map(get, spans) if type_of(value) is Type.NUMBER]
    values = [value for value in numbers if isinstance(value, (int, float))]
    if not values:
        return None
    if function in {"max", "min"}:
        return max(values) if function == "max" else min(values)
    total = sum(values)
    durations = all(isinstance(value, Duration) for value in values)
    if function == "avg":
        return Duration(int(total) // len(values)) if durations else total / len(values)
    return Duration(total) if durations else total
