"""Field expressions compiled to functions of a span, over the values that are visible of it."""

from __future__ import annotations

from collections.abc import Callable

from awf.embedded.traceql import nodes
from awf.embedded.traceql.nodes import Field
from awf.embedded.traceql.seen import NIL, SeenSpan
from awf.embedded.traceql.values import Value, arithmetic, comparison, flip, negate

Getter = Callable[[SeenSpan], Value]
Test = Callable[[SeenSpan], bool]


def compile_expression(expression: nodes.Expression) -> Getter:
    """Return the function that computes an expression; None is what has no value for a span."""
    match expression:
        case nodes.Literal(value=value):
            return lambda _: value
        case Field():
            return compile_field(expression)
        case nodes.Compare():
            return _compile_comparison(expression)
        case nodes.Logic():
            return _compile_logic(expression)
        case nodes.Arithmetic():
            op = expression.op
            left, right = compile_expression(expression.left), compile_expression(expression.right)
            return lambda seen: arithmetic(op, left(seen), right(seen))
        case nodes.Unary():
            return _compile_unary(expression)


def compile_test(expression: nodes.Expression) -> Test:
    """Return the function that says whether a span passes: only true passes, no value does not."""
    getter = compile_expression(expression)
    return lambda seen: getter(seen) is True


def compile_field(field: Field) -> Getter:
    return lambda seen: seen.value_of(field)


def _compile_comparison(node: nodes.Compare) -> Getter:
    op, left, right = node.op, node.left, node.right
    if isinstance(left, nodes.Literal) and op not in {"=~", "!~"}:
        op, left, right = flip(op), right, left
    get = compile_expression(left)
    if isinstance(right, nodes.Literal):
        value = right.value
        if isinstance(left, Field) and left.name == "trace:id" and isinstance(value, str):
            value = value.lower().rjust(32, "0")
        test = comparison(op, value if isinstance(value, str) else "")
        return lambda seen: test(get(seen), value)
    other, test = compile_expression(right), comparison(op)
    return lambda seen: test(get(seen), other(seen))


def _compile_logic(node: nodes.Logic) -> Getter:
    """Both sides must be booleans: `.a || true` is false where .a has no value."""
    first, *rest = (compile_expression(operand) for operand in node.operands)
    is_and = node.op == "&&"

    def decide(seen: SeenSpan) -> Value:
        result = first(seen)
        for get in rest:
            value = get(seen)
            if not isinstance(result, bool) or not isinstance(value, bool):
                result = False
            else:
                result = (result and value) if is_and else (result or value)
        return result

    return decide


def _compile_unary(node: nodes.Unary) -> Getter:
    get = compile_expression(node.operand)
    match node.op:
        case "exists":
            return lambda seen: get(seen) is not None
        case "missing":
            return lambda seen: get(seen) == NIL
        case "-":
            return lambda seen: negate(get(seen))
    return lambda seen: _invert(get(seen))


def _invert(value: Value) -> Value:
    return not value if isinstance(value, bool) else None
