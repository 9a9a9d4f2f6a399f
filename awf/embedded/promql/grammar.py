"""Tokens to an expression tree: recursive descent, with precedences for the operators.

The grammar is that of Prometheus 3 (promql/parser/generated_parser.y), its experimental parts included.
"""

from __future__ import annotations

from dataclasses import replace

from awf.embedded.promql.cursor import Cursor
from awf.embedded.promql.lexer import AGGREGATORS, KEYWORDS, NUMBER_WORDS, WORD_OPERATORS, Token, tokens
from awf.embedded.promql.mistakes import nearest
from awf.embedded.promql.selector_grammar import postfix, selector
from awf.embedded.promql.signatures import SIGNATURES
from awf.embedded.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Matching,
    Node,
    Number,
    Paren,
    Side,
    Span,
    Text,
    Unary,
)

_POWER = 6
_PRECEDENCE = {
    "or": 1, "and": 2, "unless": 2,
    "==": 3, "!=": 3, "<": 3, ">": 3, "<=": 3, ">=": 3, "</": 3, ">/": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": _POWER,
}  # fmt: skip
_WITH_PARAMETER = frozenset({"topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"})
_NEVER_NAMES = frozenset({"bool", "on", "ignoring", "group_left", "group_right", "atan2"})
_GROUP_LABELS = "Parentheses behind group_left and group_right hold labels: write () before an expression."
_CALLED_KEYWORDS = frozenset({"start", "end", "step", "range", "max_of", "min_of"})


def parse_expression(query: str, found: list[Token] | None = None) -> Node:
    """Parse a query, or its tokens; types are not checked yet. Raises ParseError."""
    cursor = Cursor(query, tokens(query) if found is None else found)
    if cursor.is_done:
        raise cursor.error(Span(), "no expression found in input", "Write a metric name to begin with.")
    node = _expression(cursor, 1)
    if not cursor.is_done:
        raise cursor.unexpected(hint=_misplaced(cursor))
    return node


def _misplaced(cursor: Cursor) -> str:
    """Explain a token that cannot follow a complete expression."""
    if cursor.sees("by", "without"):
        return f"`{cursor.current.lower}` belongs to an aggregation, as in sum by (label) (...)."
    if cursor.sees("="):
        return "Compare values with ==, or labels inside braces."
    if cursor.current.kind in ("word", "number", "string") or cursor.sees("(", "{"):
        return "Two expressions need an operator between them."
    return ""


def _expression(cursor: Cursor, lowest: int) -> Node:
    left = _operand(cursor)
    while (level := _level(cursor.current)) >= lowest:
        operator = cursor.take()
        matching, returns_bool = _modifiers(cursor)
        right = _expression(cursor, level if level == _POWER else level + 1)
        op = operator.lower or operator.text
        left = Binary(op, left, right, matching, returns_bool, span=left.span.upto(right.span))
    return left


def _level(token: Token) -> int:
    if token.kind == "symbol":
        return _PRECEDENCE.get(token.text, 0)
    return _PRECEDENCE.get(token.lower, 0) if token.lower in WORD_OPERATORS else 0


def _operand(cursor: Cursor) -> Node:
    sign = cursor.skip("-", "+")
    if not sign:
        return postfix(cursor, _primary(cursor))
    operand = _expression(cursor, _POWER)
    span = sign.span.upto(operand.span)
    if isinstance(operand, Number):
        return replace(operand, value=-operand.value if sign.text == "-" else operand.value, span=span)
    return Unary(sign.text, operand, span=span)


def _primary(cursor: Cursor) -> Node:
    token = cursor.current
    if token.kind in ("number", "duration"):
        return cursor.number(cursor.take())
    if token.kind == "string":
        return Text(cursor.string(cursor.take()), span=token.span)
    if cursor.skip("("):
        inner = _expression(cursor, 1)
        return Paren(inner, span=token.span.upto(cursor.expect(")", "").span))
    if cursor.sees("{"):
        return selector(cursor)
    if token.kind == "word":
        return _word(cursor)
    raise cursor.unexpected(hint=_missing_operand(cursor))


def _missing_operand(cursor: Cursor) -> str:
    if cursor.current.kind == "end":
        return "The query stops where a value is expected."
    if cursor.sees("[") and cursor.last.text == "(":
        return "A range stands behind a selector, as in metric[5m]."
    return ""


def _word(cursor: Cursor) -> Node:
    token, after = cursor.current, cursor.following
    is_called = after.kind == "symbol" and after.text == "("
    if token.lower in AGGREGATORS:
        if is_called or after.lower in ("by", "without"):
            return _aggregate(cursor)
        if after.kind in ("word", "number", "string") and _level(after) == 0 and after.lower not in KEYWORDS:
            cursor.take()
            raise cursor.unexpected("aggregation", hint=f"Write {token.text}(...).")
    elif token.lower in NUMBER_WORDS:
        return Number(float(cursor.take().lower), span=token.span)
    elif is_called and (token.lower not in KEYWORDS | WORD_OPERATORS or token.lower in _CALLED_KEYWORDS):
        return _call(cursor)
    if token.lower in _NEVER_NAMES:
        raise cursor.unexpected()
    return selector(cursor)


def _arguments(cursor: Cursor) -> tuple[list[Node], Span]:
    """Parse arguments in parentheses; return them and where the closing one is."""
    cursor.expect("(", "")
    arguments: list[Node] = []
    while not cursor.sees(")"):
        arguments.append(_expression(cursor, 1))
        comma = cursor.skip(",")
        if comma and cursor.sees(")"):
            raise cursor.error(comma.span, "trailing commas not allowed in function call args")
        if not comma and not cursor.sees(")"):
            hint = "" if cursor.current.kind == "end" else "Part arguments with commas."
            raise cursor.unexpected(hint=_misplaced(cursor) or hint)
    return arguments, cursor.take().span


def _call(cursor: Cursor) -> Call:
    token = cursor.take()
    name = token.lower if token.lower in _CALLED_KEYWORDS else token.text
    if name not in SIGNATURES:
        meant = nearest(name, [*SIGNATURES, *AGGREGATORS])
        raise cursor.error(
            token.span, f'unknown function with name "{name}"', f"Did you mean {meant}()?" if meant else ""
        )
    arguments, closing = _arguments(cursor)
    return Call(name, tuple(arguments), SIGNATURES[name].gives, span=token.span.upto(closing))


def _aggregate(cursor: Cursor) -> Aggregate:
    token = cursor.take()
    op = token.lower
    word = cursor.skip("by", "without")
    labels = cursor.labels() if word else ()
    if not cursor.sees("("):
        raise cursor.unexpected("aggregation", hint=f"Write {op} by (label) (...).")
    arguments, last = _arguments(cursor)
    if not word and (word := cursor.skip("by", "without")):
        labels = cursor.labels()
        last = cursor.last.span
    span = token.span.upto(last)
    wanted = 2 if op in _WITH_PARAMETER else 1
    if not arguments:
        raise cursor.error(span, "no arguments for aggregate expression provided")
    if len(arguments) != wanted:
        complaint = "wrong number of arguments for aggregate expression provided"
        hint = f"Write {op}({'k, ' if wanted == 2 else ''}expression)."
        raise cursor.error(span, f"{complaint}, expected {wanted}, got {len(arguments)}", hint)
    param = arguments[0] if wanted == 2 else None
    without = (
        bool(word) and cursor.query[word.span.start : word.span.end].lower() == "without" if word else False
    )
    return Aggregate(op, arguments[-1], param, labels, without, span=span)


def _modifiers(cursor: Cursor) -> tuple[Matching, bool]:
    """Parse what stands between a binary operator and its right side."""
    returns_bool = cursor.skip("bool") is not None
    matching = Matching()
    if word := cursor.skip("on", "ignoring"):
        matching = Matching(on=word.lower == "on", labels=cursor.labels())
        if side := cursor.skip("group_left", "group_right"):
            include = cursor.labels(_GROUP_LABELS) if cursor.sees("(") else ()
            many: Side = "left" if side.lower == "group_left" else "right"
            matching = replace(matching, many=many, include=include)
    elif cursor.sees("group_left", "group_right"):
        raise cursor.unexpected(hint="Say before it which labels match: on (...) or ignoring (...).")
    return _filled(cursor, matching), returns_bool


def _filled(cursor: Cursor, matching: Matching) -> Matching:
    filled: dict[str, float] = {}
    while cursor.sees("fill", "fill_left", "fill_right") and cursor.following.text == "(":
        if "fill" in filled or cursor.current.lower in filled or (filled and cursor.sees("fill")):
            raise cursor.unexpected()
        word = cursor.take().lower
        cursor.take()
        sign = cursor.skip("-", "+")
        token = cursor.take()
        if token.kind in ("number", "duration"):
            value = cursor.number(token).value
        elif token.lower in NUMBER_WORDS:
            value = float(token.lower)
        else:
            raise cursor.error(token.span, f"unexpected {token.describe()} in fill, expected number")
        cursor.expect(")", "fill")
        filled[word] = -value if sign and sign.text == "-" else value
    both = filled.get("fill")
    left, right = filled.get("fill_left", both), filled.get("fill_right", both)
    return replace(matching, fill_left=left, fill_right=right)
