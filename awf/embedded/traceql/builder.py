"""From lark's reductions to nodes. Every method is named after a rule of the grammar."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NoReturn

from lark import Token, Transformer

from awf.embedded.traceql import fields, literals, metric_builder, nodes
from awf.embedded.traceql.complaints import misplaced, nearest
from awf.embedded.traceql.nodes import Field
from awf.embedded.traceql.values import Duration, Kind, Status, Value, arithmetic
from awf.errors import QueryError, UnsupportedQuery

_WORDS: Final[dict[str, Value]] = {
    "true": True,
    "false": False,
    "minInt": -(2**63),
    "maxInt": 2**63 - 1,
    **{status.value: status for status in Status},
    **{kind.value: kind for kind in Kind},
}
_AGGREGATES: Final = frozenset({"count", "avg", "max", "min", "sum"})
_COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_STRUCTURAL: Final = frozenset(
    f"{prefix}{op}" for prefix in ("", "!", "&") for op in (">", "<", ">>", "<<", "~")
)
_FUNCTIONS: Final = frozenset({*metric_builder.FIRST_STAGES, *metric_builder.RANKS, *_AGGREGATES}) | {
    "by",
    "coalesce",
    "select",
}

Built = (
    nodes.Stage
    | nodes.Aggregate
    | metric_builder.Bounded
    | metric_builder.Rank
    | nodes.Metric
    | nodes.Comparison
    | int
    | float
)


@dataclass(frozen=True, slots=True)
class _Body:
    """A query without hints, or the inside of parentheses."""

    body: nodes.Pipeline | nodes.Series
    is_bounded_outside: bool
    """Metrics that are compared or ranked behind their parentheses: nothing can be calculated with them."""


@dataclass(frozen=True, slots=True)
class _Nil:
    """The word nil: it may stand only beside `=` and `!=`."""


class Builder(Transformer[Token, Any]):
    """Builds `nodes.Query` for `start` and `nodes.Field` for `only_field`."""

    # -- between spansets

    def start(self, parts: list[Any]) -> nodes.Query:
        body, hints = parts
        return nodes.Query(body.body, (hints or {}).get("exemplars"))

    def pipeline(self, parts: list[Any]) -> _Body:
        first = next((at for at, part in enumerate(parts) if _is_metric(part)), len(parts))
        stages = tuple(_stage(part) for part in parts[:first])
        if stages and isinstance(stages[0], nodes.Coalesce):
            raise QueryError("coalesce() cannot be the first of a pipeline")
        if len(parts) > 1 and any(_kind(stage) is _Kind.PIPELINE for stage in stages):
            raise QueryError("no stage can follow or precede pipelines in parentheses")
        if first == len(parts):
            return _Body(nodes.Pipeline(stages), is_bounded_outside=False)
        for part in parts[first:]:
            if not _is_metric(part):
                raise UnsupportedQuery("only topk() and bottomk() can follow a metrics function")
        head = parts[0].stage if isinstance(parts[0], metric_builder.Bounded) else parts[0]
        is_outside = isinstance(head, nodes.Series) and (len(parts) > 1 or head is not parts[0])
        return _Body(metric_builder.pipeline(stages, parts[first:]), is_outside)

    def wrapped(self, parts: list[_Body]) -> Any:
        if parts[0].is_bounded_outside:
            raise QueryError(
                "metrics that are compared or ranked behind their parentheses cannot be wrapped again",
                hint="Compare inside: ({} | rate() > 5).",
            )
        body = parts[0].body
        if (
            isinstance(body, nodes.Pipeline)
            and len(body.stages) == 1
            and isinstance(body.stages[0], nodes.Pipeline)
        ):
            return body.stages[0]
        return body

    def filter(self, parts: list[Any]) -> nodes.Filter:
        return nodes.Filter(nodes.Literal(value=True) if parts[0] is None else _operand(parts[0]))

    def join_stages(self, parts: list[Any]) -> nodes.SpansetLogic:
        left, op, right = parts
        return nodes.SpansetLogic(str(op), _chain(op, *_sides(left, op, right)))

    def relate(self, parts: list[Any]) -> Built:
        left, op, right = parts
        if isinstance(left, nodes.Aggregate):
            return _scalar_filter(left, op, right)
        if _is_metric(left):
            return metric_builder.bound(op, left, right)
        if _is_metric(right):
            raise misplaced(op, f"a metric must stand to the left of {op}")
        if isinstance(right, nodes.Aggregate):
            raise UnsupportedQuery(f"{right} must stand to the left of {op}")
        if op not in _STRUCTURAL:
            _fail(op, f"{op} does not relate spansets")
        return nodes.Structural(str(op), *_sides(left, op, right))

    def calculate_stages(self, parts: list[Any]) -> Any:
        left, op, right = parts
        if _is_metric(left) or _is_metric(right):
            for side in (left, right):
                if not _is_metric(side) and not isinstance(side, (int, float)):
                    raise misplaced(op, f"{op} calculates with metrics and numbers only")
            return metric_builder.calculate(op, left, right)
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            raise UnsupportedQuery(f"arithmetic ({op}) with spansets and aggregates is not supported")
        if isinstance(left, Duration) or isinstance(right, Duration):
            raise misplaced(op, "a duration cannot be used in arithmetic here")
        value = arithmetic(str(op), left, right) if op != "%" else None
        return value if isinstance(value, (int, float)) else _fail(op, f"{left} {op} {right} has no value")

    def negative_stage(self, parts: list[Any]) -> int | float:
        sign, part = parts
        if not isinstance(part, (int, float)):
            _fail(sign, "only a number can be negative here")
        return Duration(-part) if isinstance(part, Duration) else -part

    def constant(self, parts: list[Token]) -> int | float:
        return literals.duration(parts[0]) if parts[0].type == "DURATION" else literals.number(parts[0])

    def arguments(self, parts: list[Any]) -> list[Any]:
        return [part for part in parts if part is not None]

    def group_by(self, parts: list[Any]) -> nodes.GroupBy:
        arguments = parts[-1]
        if len(arguments) != 1:
            _fail(parts[0], "by() takes one expression")
        return nodes.GroupBy(_operand(arguments[0]))

    def call(self, parts: list[Any]) -> Built:
        name, arguments = parts[0], parts[1]
        by = parts[3] if parts[2] is not None else []
        if name in metric_builder.FIRST_STAGES or name in metric_builder.RANKS:
            return metric_builder.call(name, arguments, by)
        if by:
            _fail(name, f"{name}() takes no by()")
        if name in _AGGREGATES:
            if len(arguments) != (0 if name == "count" else 1):
                _fail(name, f"{name}() takes {'no argument' if name == 'count' else 'one expression'}")
            return nodes.Aggregate(str(name), _operand(arguments[0]) if arguments else None)
        if name == "coalesce" and not arguments:
            return nodes.Coalesce()
        if name != "select" or not arguments:
            what = f"unknown function {name}() with {len(arguments)} arguments"
            raise misplaced(name, what, hint="" if name == "select" else nearest(name, _FUNCTIONS))
        return nodes.Select(tuple(_field(item, "select()") for item in arguments))

    def hints(self, parts: list[Any]) -> dict[str, int | None]:
        return dict(parts[1:])

    def hint(self, parts: list[Any]) -> tuple[str, int | None]:
        """Hints trade exactness for speed or are Tempo's own; only the number of exemplars is one of ours."""
        name, value = parts[0], getattr(parts[1], "value", None)
        if not isinstance(parts[1], nodes.Literal):
            _fail(name, f"the hint {name} takes a value")
        if name == "extrapolate" and value is True:
            raise UnsupportedQuery("the hint extrapolate needs sampling probabilities, which are not stored")
        if name == "exemplars" and isinstance(value, int):
            return "exemplars", None if value is True else max(int(value), 0)
        return str(name), None

    # -- inside a spanset

    def join(self, parts: list[Any]) -> nodes.Logic:
        left, op, right = parts
        return nodes.Logic(str(op), _chain(op, _operand(left), _operand(right)))

    def compare(self, parts: list[Any]) -> nodes.Expression:
        left, op, right = parts
        if isinstance(left, _Nil) or isinstance(right, _Nil):
            return _against_nil(left, op, right)
        return nodes.Compare(str(op), left, right)

    def calculate(self, parts: list[Any]) -> nodes.Arithmetic:
        left, op, right = parts
        return nodes.Arithmetic(str(op), _operand(left), _operand(right))

    def negative(self, parts: list[Any]) -> nodes.Expression:
        operand = _operand(parts[1])
        if isinstance(operand, nodes.Literal) and type(operand.value) in {int, float}:
            return nodes.Literal(-operand.value)  # type: ignore[operator]
        return nodes.Unary("-", operand)

    def invert(self, parts: list[Any]) -> nodes.Unary:
        return nodes.Unary("!", _operand(parts[1]))

    def group(self, parts: list[Any]) -> Any:
        return parts[0]

    def name(self, parts: list[Token]) -> nodes.Expression | _Nil:
        word = parts[0]
        if word == "nil":
            return _Nil()
        if word in _WORDS:
            return nodes.Literal(_WORDS[word])
        if word == "parent":
            raise UnsupportedQuery("the intrinsic parent is not supported", hint="Use `{...} > {...}`.")
        found = fields.intrinsic(word)
        if found is None or ":" in word:
            what = (
                f"unknown identifier {word}; attributes are written .{word}, span.{word} or resource.{word}"
            )
            raise misplaced(word, what, hint=nearest(word, (*fields.INTRINSICS, *_WORDS)))
        return found

    def scoped(self, parts: list[Token]) -> Field:
        found = fields.intrinsic(parts[0])
        if found is None:
            hint = nearest(parts[0], (*fields.SCOPED_INTRINSICS, *fields.SYNONYMS))
            raise misplaced(parts[0], f"unknown intrinsic {parts[0]}", hint=hint)
        return found

    def attribute(self, parts: list[Token]) -> Field:
        return fields.attribute(parts[0])

    def string(self, parts: list[Token]) -> nodes.Literal:
        return nodes.Literal(literals.unquote(parts[0]))

    def number(self, parts: list[Token]) -> nodes.Literal:
        return nodes.Literal(literals.number(parts[0]))

    def duration(self, parts: list[Token]) -> nodes.Literal:
        return nodes.Literal(literals.duration(parts[0]))


def _fail(token: Token, message: str) -> NoReturn:
    raise misplaced(token, message)


def _chain(op: Token, left: Any, right: Any) -> tuple[Any, ...]:
    """Join a chain of one operator flat, so that a long one does not nest."""
    same = isinstance(left, (nodes.Logic, nodes.SpansetLogic)) and left.op == op
    return (*left.operands, right) if same else (left, right)


def _operand(part: Any) -> nodes.Expression:
    if isinstance(part, _Nil):
        raise QueryError("nil can only be compared by = and !=")
    if isinstance(part, nodes.Filter):
        raise QueryError("a spanset { ... } cannot stand inside an expression")
    expression: nodes.Expression = part
    return expression


def _field(part: Any, where: str) -> Field:
    if not isinstance(part, Field):
        raise QueryError(f"{where} takes attributes, such as span.agent_id or name")
    return part


def _stage(part: Any) -> nodes.Stage:
    if isinstance(part, nodes.Aggregate):
        raise QueryError(f"{part} must be compared with a value, such as {part} > 1")
    if isinstance(part, (int, float)):
        raise QueryError(f"the number {part} is no stage of a pipeline")
    stage: nodes.Stage = part
    return stage


class _Kind(Enum):
    """What a part of a query is: bare spansets, the same in parentheses, or pipelines in parentheses."""

    BARE = 1
    WRAPPED = 2
    PIPELINE = 3


def _kind(stage: nodes.Stage) -> _Kind:
    match stage:
        case nodes.Pipeline(stages=(nodes.Filter() | nodes.SpansetLogic() | nodes.Structural() as only,)):
            return _Kind.PIPELINE if _kind(only) is _Kind.PIPELINE else _Kind.WRAPPED
        case nodes.Pipeline():
            return _Kind.PIPELINE
        case nodes.SpansetLogic(operands=sides):
            kinds = {_kind(side) for side in sides}
        case nodes.Structural():
            kinds = {_kind(stage.left), _kind(stage.right)}
        case _:
            return _Kind.BARE
    return _Kind.PIPELINE if _Kind.PIPELINE in kinds else min(kinds, key=lambda kind: kind.value)


def _sides(left: Any, op: Token, right: Any) -> tuple[nodes.Stage, nodes.Stage]:
    """Return both sides of an operator between spansets. A pipeline stands beside pipelines only."""
    sides = _spanset(left, op), _spanset(right, op)
    if {_kind(side) for side in sides} == {_Kind.BARE, _Kind.PIPELINE}:
        raise misplaced(op, f"{op} joins a pipeline with a spanset", hint="Put both sides in parentheses.")
    return sides


def _is_metric(part: Any) -> bool:
    return isinstance(part, metric_builder.METRIC_STAGES)


def _spanset(part: Any, op: Token) -> nodes.Stage:
    if _is_metric(part):
        _fail(op, f"{op} does not join metrics")
    stage = _stage(part)
    if not isinstance(stage, (nodes.Filter, nodes.SpansetLogic, nodes.Structural, nodes.Pipeline)):
        _fail(op, f"{op} stands between spansets; put a pipeline in parentheses")
    return stage


def _scalar_filter(aggregate: nodes.Aggregate, op: Token, value: Any) -> nodes.ScalarFilter:
    if op not in _COMPARISONS:
        _fail(op, f"{op} does not compare {aggregate} with a number")
    if not isinstance(value, (int, float)):
        raise UnsupportedQuery(
            f"comparing {aggregate} with anything but a number or duration is not supported"
        )
    return nodes.ScalarFilter(aggregate, str(op), value)


def _against_nil(left: Any, op: Token, right: Any) -> nodes.Expression:
    if op not in {"=", "!="}:
        _fail(op, "nil can only be compared by = and !=")
    operand = right if isinstance(left, _Nil) else left
    if isinstance(operand, _Nil):
        return nodes.Literal(value=False)
    if isinstance(operand, Field) and operand.type and op == "=":
        _fail(op, f"{operand} is never nil")
    return nodes.Unary("exists" if op == "!=" else "missing", operand)
