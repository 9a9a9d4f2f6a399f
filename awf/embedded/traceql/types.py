"""The checks of types that need no data: `{ 1 = "a" }` is an error, `{ .a = "a" }` is for the data to say."""

from __future__ import annotations

from awf.embedded.traceql import nodes
from awf.embedded.traceql.traces import SERVICE_NAME
from awf.embedded.traceql.values import OPERATORS, Type, comparison, type_of
from awf.errors import QueryError, UnsupportedQuery


def check(node: object) -> None:
    """Check a tree from the leaves up. Raises QueryError or UnsupportedQuery naming the expression."""
    for child in nodes.children(node):
        check(child)
    match node:
        case nodes.Unary(op="!") if any(isinstance(part, nodes.Compare) for part in nodes.walk(node)):
            raise UnsupportedQuery(
                f"{node}: the negation of a comparison finds nothing in Tempo",
                hint="Turn the comparison itself around, such as != for =.",
            )
        case nodes.Unary(op="missing") if _is_service_name(node.operand):
            raise QueryError(f"{node.operand} is never nil; where it is missing it is empty")
        case nodes.Compare():
            _check_comparison(node)
        case nodes.Logic():
            for operand in node.operands:
                _want(operand, Type.BOOLEAN, f"the sides of {node.op}")
        case nodes.Arithmetic():
            for operand in (node.left, node.right):
                _want(operand, Type.NUMBER, f"the sides of {node.op}")
        case nodes.Unary(op="!" | "-"):
            _want(node.operand, Type.BOOLEAN if node.op == "!" else Type.NUMBER, f"the operand of {node.op}")
        case nodes.Aggregate(operand=operand) if operand is not None:
            _want(operand, Type.NUMBER, f"the argument of {node.function}()")
            _want_span(operand, f"{node.function}()")
        case nodes.GroupBy():
            _want_span(node.expression, "by()")
        case nodes.Filter():
            _want(node.expression, Type.BOOLEAN, "the expression of a spanset")
            _check_numbers(node.expression)
        case nodes.Measured(metric=nodes.Metric() as metric):
            _check_metric(metric)


def _check_comparison(node: nodes.Compare) -> None:
    left, right = _implied(node.left), _implied(node.right)
    if left and right and left is not right:
        raise QueryError(f"{node} compares {left} with {right}")
    known = left or right
    if known and node.op not in OPERATORS[known]:
        raise QueryError(f"{node}: {node.op} does not compare {known}")
    if node.op in {"=~", "!~"}:
        pattern = node.right.value if isinstance(node.right, nodes.Literal) else None
        if not isinstance(pattern, str):
            raise QueryError(f"{node}: the right side of {node.op} must be a string")
        comparison(node.op, pattern)


def _check_numbers(expression: nodes.Expression) -> None:
    """Refuse `.x > 1 && .x < 2.5`: of which type the attribute has to be would depend on its other values."""
    kinds: dict[nodes.Field, type] = {}
    for part in nodes.walk(expression):
        match part:
            case nodes.Compare(left=nodes.Field() as field, right=nodes.Literal(value=value)):
                pass
            case nodes.Compare(left=nodes.Literal(value=value), right=nodes.Field() as field):
                pass
            case _:
                continue
        if field.type is not None or type_of(value) is not Type.NUMBER:
            continue
        if kinds.setdefault(field, type(value)) is not type(value):
            raise UnsupportedQuery(
                f"{field} is compared with numbers of two types",
                hint="Write all of them as whole numbers (2) or all as fractions (2.0).",
            )


def _is_service_name(expression: object) -> bool:
    scopes = {nodes.Scope.RESOURCE, nodes.Scope.NONE}
    return (
        isinstance(expression, nodes.Field) and expression.name == SERVICE_NAME and expression.scope in scopes
    )


def _check_metric(metric: nodes.Metric) -> None:
    for field in metric.by:
        _refuse_many(field, "grouping by")
    if metric.field:
        _check_measured(metric, metric.field)


def _check_measured(metric: nodes.Metric, field: nodes.Field) -> None:
    _refuse_many(field, f"{metric.function}() of")
    if field.type not in {None, Type.NUMBER}:
        raise QueryError(f"{metric.function}() takes a number; {field} is {field.type}")
    if field.name == "traceDuration" and field.scope is nodes.Scope.INTRINSIC:
        raise UnsupportedQuery(f"{metric.function}(traceDuration) is not supported", hint="Use duration.")


def _want(expression: nodes.Expression, wanted: Type, what: str) -> None:
    found = _implied(expression)
    if found and found is not wanted:
        raise QueryError(f"{what} must be {wanted}; {expression} is {found}")


def _want_span(expression: nodes.Expression, what: str) -> None:
    fields = list(nodes.fields_of(expression))
    if not fields:
        raise QueryError(f"the argument of {what} must name an attribute; {expression} does not")
    for field in fields:
        _refuse_many(field, f"{what} over")


def _refuse_many(field: nodes.Field, what: str) -> None:
    if is_many(field):
        raise UnsupportedQuery(f"{what} {field} is not supported: a span has several events and links")


def is_many(field: nodes.Field) -> bool:
    """Whether a span can have several values of the field."""
    if field.scope is nodes.Scope.INTRINSIC:
        return field.name.startswith(("event:", "link:"))
    return field.scope in {nodes.Scope.EVENT, nodes.Scope.LINK}


def _implied(expression: nodes.Expression) -> Type | None:
    """Return the type of an expression; None when only the data can say."""
    match expression:
        case nodes.Literal():
            return type_of(expression.value)
        case nodes.Field():
            return expression.type
        case nodes.Arithmetic():
            return Type.NUMBER
        case nodes.Unary(op="-"):
            return Type.NUMBER
    return Type.BOOLEAN
