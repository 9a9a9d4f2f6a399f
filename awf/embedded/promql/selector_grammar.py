"""Selectors, and what may follow an expression: ranges, subqueries, `offset`, `@`, `anchored`, `smoothed`."""

from __future__ import annotations

import math
from dataclasses import replace

from awf.embedded.model import Matcher, MatchOp
from awf.embedded.promql import duration_grammar
from awf.embedded.promql.cursor import Cursor
from awf.embedded.promql.lexer import NUMBER_WORDS, Token
from awf.embedded.promql.syntax import (
    At,
    Duration,
    Extension,
    Node,
    Number,
    RangeSelector,
    Selector,
    Span,
    Subquery,
)
from awf.embedded.promql.values import NAME
from awf.embedded.regex import compile_re2
from awf.errors import QueryError, UnsupportedQuery

_REGEX = (MatchOp.REGEX, MatchOp.NOT_REGEX)
_RANGE_CONTEXT = "subquery or range selector"
_NEEDS_SELECTOR = "must be preceded by an instant vector selector or range vector selector or a subquery"
_MAX_TIME_S = 1e15


def selector(cursor: Cursor) -> Selector:
    """Parse a metric name, matchers in braces, or both."""
    start = cursor.current.span
    name = cursor.take().text if cursor.current.kind == "word" else ""
    matchers = _matchers(cursor) if cursor.sees("{") else []
    if name:
        if twice := next((item for item in matchers if item.name == NAME), None):
            complaint = f'metric name must not be set twice: "{name}" or "{twice.value}"'
            raise cursor.error(start.upto(cursor.last.span), complaint)
        matchers.insert(0, Matcher(NAME, MatchOp.EQUAL, name))
    return Selector(tuple(matchers), name=name, span=start.upto(cursor.last.span))


def _matchers(cursor: Cursor) -> list[Matcher]:
    cursor.take()
    found: list[Matcher] = []
    while not cursor.sees("}"):
        found.append(_matcher(cursor))
        if not cursor.skip(",") and not cursor.sees("}"):
            hint = "Part matchers with commas." if cursor.current.kind in ("word", "string") else ""
            raise cursor.unexpected("label matching", '"," or "}"', hint)
    cursor.take()
    return found


def _matcher(cursor: Cursor) -> Matcher:
    label = cursor.current
    if label.kind not in ("word", "string"):
        raise cursor.unexpected("label matching", 'identifier or "}"')
    name = cursor.string(cursor.take()) if label.kind == "string" else cursor.take().text
    if label.kind == "string" and cursor.sees(",", "}"):
        return Matcher(NAME, MatchOp.EQUAL, name)
    if not cursor.sees("=", "!=", "=~", "!~"):
        hint = "Compare labels with =, !=, =~ or !~." if cursor.current.kind == "symbol" else ""
        raise cursor.unexpected("label matching", "label matching operator", hint)
    op = MatchOp(cursor.take().text)
    value = cursor.current
    if value.kind != "string":
        hint = (
            f'Label values stand in quotes: {name}{op.value}"{value.text}".' if value.kind != "symbol" else ""
        )
        raise cursor.unexpected("label matching", "string", hint)
    matcher = Matcher(name, op, cursor.string(cursor.take()))
    if op in _REGEX:
        _check_regex(cursor, matcher.value, value.span)
    return matcher


def _check_regex(cursor: Cursor, pattern: str, span: Span) -> None:
    try:
        compile_re2(pattern)
    except UnsupportedQuery:
        raise
    except QueryError as error:
        raise cursor.error(span, f"error parsing regexp: {error.message}") from error


def postfix(cursor: Cursor, node: Node) -> Node:
    """Parse what follows an operand, as long as something does."""
    while True:
        if cursor.sees("["):
            node = _range(cursor, node)
        elif cursor.sees("offset"):
            node = _offset(cursor, node)
        elif cursor.sees("@"):
            node = _at(cursor, node)
        elif cursor.sees("anchored", "smoothed"):
            node = _extended(cursor, node)
        else:
            return node


def _range(cursor: Cursor, node: Node) -> Node:
    opening = cursor.take()
    length = duration_grammar.bracketed(cursor, _RANGE_CONTEXT)
    if cursor.skip(":"):
        return _subquery(cursor, node, length)
    closing = cursor.expect("]", "subquery or range", '":" or "]"')
    brackets = opening.span.upto(closing.span)
    if not isinstance(node, Selector):
        hint = "Of an expression take a subquery: add a colon, as in [30m:1m]."
        raise cursor.error(brackets, "ranges only allowed for vector selectors", hint)
    if node.offset_ms or node.offset_expr:
        raise cursor.error(brackets, "no offset modifiers allowed before range", "Write the range first.")
    if node.at is not None:
        raise cursor.error(brackets, "no @ modifiers allowed before range", "Write the range first.")
    fixed, computed = _length(length)
    return RangeSelector(node, fixed, computed, span=node.span.upto(closing.span))


def _subquery(cursor: Cursor, node: Node, length: Duration | Number) -> Subquery:
    step: Duration | Number | None = None
    if not cursor.sees("]"):
        step = duration_grammar.bracketed(cursor, "subquery selector")
    closing = cursor.expect("]", "subquery selector")
    fixed, computed = _length(length)
    fixed_step, computed_step = (None, None) if step is None else _length(step)
    span = node.span.upto(closing.span)
    return Subquery(node, fixed, fixed_step, range_expr=computed, step_expr=computed_step, span=span)


def _length(duration: Duration | Number) -> tuple[int, Duration | None]:
    if isinstance(duration, Number):
        return round(duration.value * 1000), None
    return 0, duration


def _offset(cursor: Cursor, node: Node) -> Node:
    cursor.take()
    duration = duration_grammar.offset(cursor)
    inner = _moved(cursor, node, "offset modifier")
    if inner.offset_ms or inner.offset_expr:
        raise cursor.error(node.span, "offset may not be set multiple times")
    fixed, computed = _length(duration)
    return _with(node, replace(inner, offset_ms=fixed, offset_expr=computed), cursor.last.span)


def _at(cursor: Cursor, node: Node) -> Node:
    cursor.take()
    inner = _moved(cursor, node, "@ modifier")
    moment = _moment(cursor, node)
    if inner.at is not None:
        raise cursor.error(node.span, "@ <timestamp> may not be set multiple times")
    return _with(node, replace(inner, at=moment), cursor.last.span)


def _moment(cursor: Cursor, node: Node) -> At:
    if word := cursor.skip("start", "end"):
        cursor.expect("(", "@")
        cursor.expect(")", "@")
        return "start" if word.lower == "start" else "end"
    sign = cursor.skip("-", "+")
    seconds = _number(cursor)
    if seconds is None:
        raise cursor.unexpected("@", "timestamp", "Write Unix seconds, start() or end().")
    if sign and sign.text == "-":
        seconds = -seconds
    if not math.isfinite(seconds) or abs(seconds) > _MAX_TIME_S:
        raise cursor.error(node.span, f"timestamp out of bounds for @ modifier: {seconds:f}")
    return round(seconds * 1000)


def _number(cursor: Cursor) -> float | None:
    token = cursor.current
    if token.kind in ("number", "duration"):
        return cursor.number(cursor.take()).value
    if token.lower in NUMBER_WORDS:
        return float(cursor.take().lower)
    return None


def _moved(cursor: Cursor, node: Node, what: str) -> Selector | Subquery:
    """Return the part of the node that has a time of its own."""
    if isinstance(node, RangeSelector):
        return node.selector
    if isinstance(node, Selector | Subquery):
        return node
    raise cursor.error(node.span, f"{what} {_NEEDS_SELECTOR}", "Put it directly behind the selector.")


def _with(node: Node, inner: Selector | Subquery, last: Span) -> Node:
    if isinstance(node, RangeSelector) and isinstance(inner, Selector):
        return replace(node, selector=inner, span=node.span.upto(last))
    return replace(inner, span=node.span.upto(last))


def _extended(cursor: Cursor, node: Node) -> Node:
    word: Token = cursor.take()
    extension: Extension = "anchored" if word.lower == "anchored" else "smoothed"
    if isinstance(node, Subquery):
        raise cursor.error(node.span, f"{extension} modifier is not supported for subqueries")
    inner = node.selector if isinstance(node, RangeSelector) else node
    if not isinstance(inner, Selector):
        raise cursor.error(node.span, f"{extension} modifier not implemented")
    if inner.extension not in (None, extension):
        raise cursor.error(node.span, "anchored and smoothed modifiers cannot be used together")
    changed = replace(inner, extension=extension)
    return replace(node, selector=changed) if isinstance(node, RangeSelector) else changed
