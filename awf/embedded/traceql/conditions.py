"""What a query asks of single attributes, read from its tree as Tempo's storage is told it.

Tempo's storage does not evaluate queries. It is given a list of conditions and hands over, of every span,
only the values that satisfy some condition; the query is evaluated on those. This decides answers: a span
whose attribute is a number has no value where the query compares it with a string.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from awf.embedded.traceql import nodes
from awf.embedded.traceql.nodes import Field, Scope
from awf.embedded.traceql.values import Type, Value, type_of

EXISTS: Final = "exists"
MISSING: Final = "missing"
ANY: Final = ""
"""The operator of a condition that every value satisfies."""
_BOOLEAN: Final = frozenset({"=", "!=", "<", "<=", ">", ">=", "=~", "!~"})
_LISTED: Final = {("||", "="), ("&&", "!="), ("||", "=~"), ("&&", "!~")}
"""Chains of these comparisons of one attribute become one condition with several operands."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An attribute and what its value must be; of several operands one is enough, for != and !~ all count."""

    field: Field
    op: str = ANY
    operands: tuple[Value, ...] = ()


START: Final = Field(Scope.INTRINSIC, "span:startTime", Type.NUMBER)
"""The match-all condition of an empty filter."""


@dataclass(slots=True)
class Request:
    """The conditions of a pipeline. When they must all hold, spans that fail one are left out at once."""

    conditions: list[Condition] = field(default_factory=list)
    structures: set[str] = field(default_factory=set)
    are_all_needed: bool = True
    selected: list[Condition] = field(default_factory=list)
    """What is read of the spans that are found, to be shown or counted."""

    def has(self, wanted: Field, *, op: str | None = None) -> bool:
        known = (*self.conditions, *self.selected)
        return any(_covers(item.field, wanted) and op in {None, item.op} for item in known)

    def selects(self, wanted: Field) -> bool:
        return any(_covers(item.field, wanted) for item in self.selected)


def request_of(pipeline: nodes.Pipeline) -> Request:
    """Return the conditions of a pipeline."""
    request = Request()
    _stage(pipeline, request)
    return request


def add_measured(request: Request, metric: nodes.Metric) -> None:
    """Add what a metrics function reads: its attribute and its groups, unless the query names them already."""
    if metric.field and not request.has(metric.field):
        request.selected.append(Condition(metric.field))
    always = metric.function == "avg_over_time" or request.are_all_needed
    for item in metric.by:
        if not (request.has(item) if always else request.selects(item)):
            request.selected.append(Condition(item))


def _covers(known: Field, wanted: Field) -> bool:
    """`.x` is read from spans and resources, so that it serves span.x and resource.x too."""
    scopes = {Scope.SPAN, Scope.RESOURCE}
    return known == wanted or (
        known.scope is Scope.NONE and wanted.scope in scopes and known.name == wanted.name
    )


def _stage(stage: nodes.Stage, request: Request) -> None:
    match stage:
        case nodes.Pipeline():
            _pipeline(stage.stages, request)
        case nodes.Filter():
            _filter(stage.expression, request)
        case nodes.SpansetLogic():
            for operand in stage.operands:
                _stage(operand, request)
            request.are_all_needed = False
        case nodes.Structural():
            kind = {">": "child", "<": "child", "~": "sibling"}.get(stage.op.lstrip("!&"), "descendant")
            request.structures.add(kind)
            _stage(stage.left, request)
            _stage(stage.right, request)
            request.are_all_needed = False
        case nodes.ScalarFilter():
            request.are_all_needed = False
            if stage.aggregate.operand:
                _expression(stage.aggregate.operand, request)
        case nodes.GroupBy():
            _expression(stage.expression, request)
            request.are_all_needed = False
        case nodes.Select():
            request.selected += [Condition(item) for item in stage.fields]


def _pipeline(stages: Iterable[nodes.Stage], request: Request) -> None:
    """After select() everything is read late: what a later filter names has no value when it is evaluated."""
    is_late = False
    for stage in stages:
        if is_late:
            late = Request()
            _stage(stage, late)
            for item in (*late.conditions, *late.selected):
                if not request.has(item.field, op=ANY):
                    request.selected.append(item)
        else:
            _stage(stage, request)
        is_late = is_late or isinstance(stage, nodes.Select)


def _filter(expression: nodes.Expression, request: Request) -> None:
    _expression(expression, request)
    if not isinstance(expression, nodes.Literal) or expression.value is not True:
        return
    matches_all = any(item.field.scope is Scope.INTRINSIC and item.op == ANY for item in request.conditions)
    if not matches_all and not request.structures:
        request.conditions.append(Condition(START))


def _expression(expression: nodes.Expression, request: Request) -> None:
    match expression:
        case Field():
            request.conditions.append(Condition(expression))
        case nodes.Unary(op="exists" | "missing", operand=Field() as item):
            request.conditions.append(Condition(item, expression.op))
        case nodes.Unary():
            _expression(expression.operand, request)
        case nodes.Logic():
            _logic(expression, request)
        case nodes.Compare() | nodes.Arithmetic():
            _binary(expression.op, expression.left, expression.right, request)


def _logic(node: nodes.Logic, request: Request) -> None:
    """A chain is read as the pairs that it stands for: `a || b || c` is `(a || b) || c`."""
    left: nodes.Expression | Condition = node.operands[0]
    for right in node.operands[1:]:
        joined = _listed(node.op, left, right)
        if joined:
            left = joined
            continue
        _pair(node.op, left, right, request)
        left = nodes.Unary("done", nodes.Literal(value=True))
    if isinstance(left, Condition):
        request.conditions.append(left)


def _pair(
    op: str, left: nodes.Expression | Condition, right: nodes.Expression | Condition, request: Request
) -> None:
    if isinstance(left, Condition):
        request.conditions.append(left)
    if isinstance(left, Condition) or isinstance(right, Condition):
        if not isinstance(right, Condition):
            _expression(right, request)
        request.are_all_needed = request.are_all_needed and op != "||"
        return
    _binary(op, left, right, request)


def _listed(
    op: str, left: nodes.Expression | Condition, right: nodes.Expression | Condition
) -> Condition | None:
    one, other = _comparison(left), _comparison(right)
    if not one or not other or one.field != other.field or one.op != other.op or (op, one.op) not in _LISTED:
        return None
    kinds = {type(value) for value in (*one.operands, *other.operands)}
    if len(kinds) > 1 or not kinds <= {str, int, float, bool}:
        return None
    return replace(one, operands=(*one.operands, *other.operands))


def _comparison(part: nodes.Expression | Condition) -> Condition | None:
    match part:
        case Condition():
            return part
        case nodes.Compare(op=op, left=Field() as item, right=nodes.Literal(value=value)):
            return Condition(item, op, (value,))
        case nodes.Compare(op=op, left=nodes.Literal(value=value), right=Field() as item):
            return Condition(item, op, (value,))
        case nodes.Logic():
            left: nodes.Expression | Condition | None = part.operands[0]
            for right in part.operands[1:]:
                left = _listed(part.op, left, right) if left else None
            return left if isinstance(left, Condition) else None
    return None


def _binary(op: str, left: nodes.Expression, right: nodes.Expression, request: Request) -> None:
    """As Tempo reads pairs: one that begins with an attribute says nothing about what has to hold together."""
    match left, right:
        case Field(), nodes.Literal(value=value):
            request.conditions.append(_condition(left, op, value))
        case nodes.Literal(value=value), Field():
            request.conditions.append(_condition(right, op, value))
        case Field(), _:
            request.conditions.append(Condition(left))
            _expression(right, request)
        case nodes.Literal(), _:
            _expression(right, request)
        case _:
            _expression(left, request)
            _expression(right, request)
            request.are_all_needed = request.are_all_needed and op != "||"


def _condition(item: Field, op: str, value: Value) -> Condition:
    if op not in _BOOLEAN or (type_of(value) is Type.BOOLEAN and op in {"&&", "||"}):
        return Condition(item)
    return Condition(item, op, (value,))
