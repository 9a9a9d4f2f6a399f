"""An expression as text, on one line or laid out, as Prometheus prints it (promql/parser/printer.go, prettier.go)."""

from __future__ import annotations

import re

from awf.embedded.model import Matcher, MatchOp
from awf.embedded.promql.literals import write_duration_ms, write_string
from awf.embedded.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Duration,
    Matching,
    Node,
    Number,
    Paren,
    RangeSelector,
    Selector,
    Subquery,
    Text,
    Unary,
)
from awf.embedded.promql.values import NAME, format_value

_WIDTH = 100
_INDENT = "  "
_PLAIN_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def pretty(node: Node, level: int = 0) -> str:
    """Lay an expression out over lines of at most about 100 characters."""
    line = one_line(node)
    indent = _INDENT * level
    if isinstance(node, Subquery):
        return line if len(line) <= _WIDTH else pretty(node.expr, level) + _suffix(node)
    if isinstance(node, Unary):
        return f"{indent}{node.op}{pretty(node.expr, level).strip()}"
    if len(line) <= _WIDTH:
        return indent + line
    match node:
        case Aggregate():
            param = "" if node.param is None else f"{pretty(node.param, level + 1)},\n"
            return f"{indent}{_aggregation(node)}(\n{param}{pretty(node.expr, level + 1)}\n{indent})"
        case Binary():
            lhs, rhs = pretty(node.lhs, level + 1), pretty(node.rhs, level + 1)
            return f"{lhs}\n{indent}{_operator(node)}\n{rhs}"
        case Call():
            args = ",\n".join(pretty(arg, level + 1) for arg in node.args)
            return f"{indent}{node.name}(\n{args}\n{indent})"
        case Paren():
            return f"{indent}(\n{pretty(node.expr, level + 1)}\n{indent})"
        case _:
            return indent + line


def one_line(node: Node | Duration) -> str:
    """Write an expression on one line."""
    match node:
        case Number():
            return _number(node)
        case Text():
            return write_string(node.value)
        case Selector():
            return _selector(node)
        case RangeSelector():
            return _range(node)
        case Duration():
            return _duration(node)
        case _:
            return _compound(node)


def _compound(node: Subquery | Call | Aggregate | Unary | Paren | Binary) -> str:
    match node:
        case Subquery():
            return one_line(node.expr) + _suffix(node)
        case Call():
            return f"{node.name}({', '.join(one_line(arg) for arg in node.args)})"
        case Aggregate():
            param = "" if node.param is None else f"{one_line(node.param)}, "
            return f"{_aggregation(node)}({param}{one_line(node.expr)})"
        case Unary():
            return node.op + one_line(node.expr)
        case Paren():
            return f"({one_line(node.expr)})"
        case Binary():
            return f"{one_line(node.lhs)} {_operator(node)} {one_line(node.rhs)}"


def _number(node: Number) -> str:
    if node.is_duration:
        length = write_duration_ms(round(abs(node.value) * 1000))
        return f"-{length}" if node.value < 0 else length
    return format_value(node.value)


def _duration(node: Duration) -> str:
    parts = [one_line(operand) for operand in node.operands]
    if node.op in ("step", "range", "min_of", "max_of"):
        text = f"{node.op}({', '.join(parts)})"
    elif len(parts) == 1:
        text = parts[0] if node.op == "+" else node.op + parts[0]
    else:
        text = f"{parts[0]} {node.op} {parts[1]}"
    return f"({text})" if node.in_parentheses else text


def _aggregation(node: Aggregate) -> str:
    if node.without:
        return f"{node.op} without ({_labels(node.labels)}) "
    return f"{node.op} by ({_labels(node.labels)}) " if node.labels else node.op


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(name if _PLAIN_LABEL.fullmatch(name) else write_string(name) for name in names)


def _operator(node: Binary) -> str:
    return f"{node.op}{' bool' if node.returns_bool else ''}{_matching(node.matching)}"


def _matching(matching: Matching) -> str:
    text = ""
    if matching.labels or matching.on or matching.many:
        text += f" {'on' if matching.on else 'ignoring'} ({_labels(matching.labels)})"
    if matching.many:
        text += f" group_{matching.many} ({_labels(matching.include)})"
    left, right = matching.fill_left, matching.fill_right
    if left is not None and left == right:
        return f"{text} fill ({format_value(left)})"
    for side, value in (("left", left), ("right", right)):
        if value is not None:
            text += f" fill_{side} ({format_value(value)})"
    return text


def _selector(node: Selector) -> str:
    at, offset = _moved(node)
    extension = f" {node.extension}" if node.extension else ""
    return f"{_matchers(node)}{at}{extension}{offset}"


def _matchers(node: Selector) -> str:
    shown = sorted(
        _matcher(matcher)
        for matcher in node.matchers
        if not (matcher.name == NAME and matcher.op is MatchOp.EQUAL and matcher.value == node.name != "")
    )
    return node.name + (f"{{{','.join(shown)}}}" if shown else "")


def _matcher(matcher: Matcher) -> str:
    name = matcher.name if _PLAIN_LABEL.fullmatch(matcher.name) else write_string(matcher.name)
    return f"{name}{matcher.op.value}{write_string(matcher.value)}"


def _range(node: RangeSelector) -> str:
    at, offset = _moved(node.selector)
    length = one_line(node.range_expr) if node.range_expr else write_duration_ms(node.range_ms)
    extension = f" {node.selector.extension}" if node.selector.extension else ""
    return f"{_matchers(node.selector)}[{length}]{extension}{at}{offset}"


def _suffix(node: Subquery) -> str:
    at, offset = _moved(node)
    length = one_line(node.range_expr) if node.range_expr else write_duration_ms(node.range_ms)
    step = one_line(node.step_expr) if node.step_expr else ""
    if node.step_ms:
        step = write_duration_ms(node.step_ms)
    return f"[{length}:{step}]{at}{offset}"


def _moved(node: Selector | Subquery) -> tuple[str, str]:
    """Write the modifiers `@` and `offset`."""
    at = offset = ""
    if isinstance(node.at, str):
        at = f" @ {node.at}()"
    elif node.at is not None:
        at = f" @ {node.at / 1000:.3f}"
    if node.offset_expr:
        offset = f" offset {one_line(node.offset_expr)}"
    elif node.offset_ms:
        sign = "-" if node.offset_ms < 0 else ""
        offset = f" offset {sign}{write_duration_ms(abs(node.offset_ms))}"
    return at, offset
