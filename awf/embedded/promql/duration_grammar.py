"""Durations inside brackets and after `offset`: literals, or expressions over them, `step()` and `range()`."""

from __future__ import annotations

from dataclasses import replace

from awf.embedded.promql.cursor import Cursor
from awf.embedded.promql.lexer import Token
from awf.embedded.promql.syntax import Duration, Number

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_POWER = 3
_MAX_S = 2**63 / 1e9
_EXPECTED = "number, duration, step(), or range()"


def bracketed(cursor: Cursor, context: str) -> Duration | Number:
    """Parse a length that must be positive, as in brackets."""
    found = _expression(cursor, 1, context)
    if isinstance(found, Number) and found.value <= 0:
        raise cursor.error(found.span, "duration must be greater than 0")
    return found


def offset(cursor: Cursor) -> Duration | Number:
    """Parse what follows `offset`: one operand, with a sign or not."""
    sign = cursor.skip("-", "+")
    return _with_sign(sign, _operand(cursor, "offset")) if sign else _operand(cursor, "offset")


def _expression(cursor: Cursor, lowest: int, context: str) -> Duration | Number:
    left = _signed(cursor, context)
    while (level := _PRECEDENCE.get(cursor.current.text, 0)) >= lowest and cursor.current.kind == "symbol":
        operator = cursor.take()
        right = _expression(cursor, level if level == _POWER else level + 1, context)
        if operator.text in "/%" and isinstance(right, Number) and right.value == 0:
            what = "division" if operator.text == "/" else "modulo"
            raise cursor.error(operator.span, f"{what} by zero")
        left = Duration(operator.text, (left, right), span=left.span.upto(right.span))
    return left


def _signed(cursor: Cursor, context: str) -> Duration | Number:
    sign = cursor.skip("-", "+")
    if not sign:
        return _operand(cursor, context)
    return _with_sign(sign, _expression(cursor, _POWER, context))


def _with_sign(sign: Token, operand: Duration | Number) -> Duration | Number:
    span = sign.span.upto(operand.span)
    if isinstance(operand, Number):
        return replace(operand, value=-operand.value if sign.text == "-" else operand.value, span=span)
    return Duration("-", (operand,), span=span) if sign.text == "-" else operand


def _operand(cursor: Cursor, context: str) -> Duration | Number:
    token = cursor.current
    if token.kind in ("number", "duration"):
        found = cursor.number(cursor.take())
        if abs(found.value) > _MAX_S:
            raise cursor.error(found.span, "duration out of range")
        return found
    if cursor.skip("("):
        inner = _expression(cursor, 1, context)
        closing = cursor.expect(")", context)
        span = token.span.upto(closing.span)
        if isinstance(inner, Duration):
            return replace(inner, in_parentheses=True, span=span)
        return Duration("+", (inner,), in_parentheses=True, span=span)
    if cursor.sees("step", "range"):
        name = cursor.take().lower
        cursor.expect("(", context)
        return Duration(name, span=token.span.upto(cursor.expect(")", context).span))
    if cursor.sees("min_of", "max_of"):
        name = cursor.take().lower
        cursor.expect("(", context)
        first = _expression(cursor, 1, context)
        cursor.expect(",", context)
        second = _expression(cursor, 1, context)
        return Duration(name, (first, second), span=token.span.upto(cursor.expect(")", context).span))
    hint = "" if context == "offset" else "Write a length of time, as in [5m], or [30m:1m] for a subquery."
    raise cursor.unexpected(context, _EXPECTED, hint)
