"""The checks of types that need no data: `{ 1 = "a" }` is an error, `{ .a = "a" }` is for the data to say."""

from __future__ import annotations

from awf.embedded.traceql import nodes
from awf.embedded.traceql.traces import SERVICE_NAME
from awf.embedded.traceql.values import OPERATORS, Type, comparison, type_of
from awf.errors import QueryError


def check(node: object) -> None:
    """Check a tree from the leaves up. Raises QueryError or UnsupportedQuery naming the expression."""
    for child in nodes.children(node):
        check(child)
    match node:
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


def _is_service_name(expression: object) -> bool:
    scopes = {nodes.Scope.RESOURCE, nodes.Scope.NONE}
    return (
        isinstance(expression, nodes.Field) and expression.name == SERVICE_NAME and expression.scope in scopes
    )


def _check_metric(metric: nodes.Metric) -> None:
    field = metric.field
    if field and field.type not in {None, Type.NUMBER}:
        raise QueryError(f"{metric.function}() takes a number; {field} is {field.type}")


def _want(expression: nodes.Expression, wanted: Type, what: str) -> None:
    found = _implied(expression)
    if found and found is not wanted:
        raise QueryError(f"{what} must be {wanted}; {expression} is {found}")


def _want_span(expression: nodes.Expression, what: str) -> None:
    if not any(nodes.fields_of(expression)):
        raise QueryError(f"the argument of {what} must name an attribute; {expression} does not")


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
