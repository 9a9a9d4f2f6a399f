"""Pipelines compiled to functions from spansets of one trace to spansets of the same trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from awf.embedded.traceql import nodes
from awf.embedded.traceql.expressions import Getter, compile_expression, compile_test
from awf.embedded.traceql.relations import relate
from awf.embedded.traceql.seen import SeenSpan
from awf.embedded.traceql.values import Comparison, Duration, Value, comparison
from awf.errors import UnsupportedQuery


@dataclass(frozen=True, slots=True)
class Spanset:
    """Spans of one trace that belong together, and what the pipeline found out about them."""

    spans: tuple[SeenSpan, ...]
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

    def step(sets: Sequence[Spanset]) -> list[Spanset]:
        kept = (replace(one, spans=tuple(filter(test, one.spans))) for one in sets)
        return [one for one in kept if one.spans]

    return step


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

    def combine(one: Spanset) -> tuple[SeenSpan, ...]:
        found = [step([one]) for step in steps]
        if not enough(found):
            return ()
        return tuple(dict.fromkeys(view for sets in found for part in sets for view in part.spans))

    return _per_spanset(combine)


def _structural(stage: nodes.Structural) -> Step:
    left, right = compile_stage(stage.left), compile_stage(stage.right)

    def combine(one: Spanset) -> tuple[SeenSpan, ...]:
        return tuple(relate(stage.op, _single(left([one]), stage.op), _single(right([one]), stage.op)))

    return _per_spanset(combine)


def _single(sets: list[Spanset], op: str) -> tuple[SeenSpan, ...]:
    if len(sets) > 1:
        raise UnsupportedQuery(
            f"the spanset operator {op} after by() is not supported", hint="Put coalesce() after by()."
        )
    return sets[0].spans if sets else ()


def _per_spanset(combine: Callable[[Spanset], tuple[SeenSpan, ...]]) -> Step:
    def step(sets: Sequence[Spanset]) -> list[Spanset]:
        combined = (replace(one, spans=combine(one)) for one in sets)
        return [one for one in combined if one.spans]

    return step


def _group_by(stage: nodes.GroupBy) -> Step:
    get, name = compile_expression(stage.expression), f"by({stage.expression})"

    def step(sets: Sequence[Spanset]) -> list[Spanset]:
        result = []
        for one in sets:
            groups: dict[tuple[type, Value], list[SeenSpan]] = {}
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


def _aggregate(function: str, get: Getter | None, spans: Sequence[SeenSpan]) -> Value:
    """Return the aggregate over the spans that have a value; None when none has.

    The first value says of which type the sum is; those of other types add nothing to it.
    """
    if get is None:
        return len(spans)
    values = [value for value in map(get, spans) if value is not None]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if not numbers:
        return values[0] if values else None
    if len(numbers) < len(values):
        raise UnsupportedQuery(
            f"{function}() over spans of which some have no number: in Tempo it depends on their order",
            hint="Keep those that have one, such as { span.x != nil }.",
        )
    if function in {"max", "min"}:
        return max(numbers) if function == "max" else min(numbers)
    total = sum(value for value in numbers if type(value) is type(numbers[0]))
    if isinstance(numbers[0], Duration):
        return Duration(total if function == "sum" else int(total) // len(values))
    return total if function == "sum" else total / len(values)
