"""Durations that depend on the query's step and range become fixed ones before evaluation."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace

from awf.embedded.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Duration,
    Node,
    Number,
    Paren,
    RangeSelector,
    Selector,
    Subquery,
    Unary,
    walk,
)
from awf.errors import QueryError

_MAX_S = 2**63 / 1e9


def resolved(node: Node, *, step_ms: int, range_ms: int) -> Node:
    """Return the expression with every duration computed. Raises QueryError for one that is none."""
    if not any(_computes(item) for item in walk(node)):
        return node
    return _Resolver(step_ms / 1000, range_ms / 1000).node(node)


def _computes(node: Node) -> bool:
    match node:
        case Selector():
            return node.offset_expr is not None
        case RangeSelector():
            return node.range_expr is not None
        case Subquery():
            return not node.range_expr is node.step_expr is node.offset_expr is None
        case _:
            return False


@dataclass(frozen=True, slots=True)
class _Resolver:
    step_s: float
    range_s: float

    def node(self, node: Node) -> Node:
        match node:
            case Selector():
                return self._selector(node)
            case RangeSelector():
                length = self._length(node.range_expr, node.range_ms)
                return replace(node, selector=self._selector(node.selector), range_ms=length)
            case Subquery():
                return replace(
                    node,
                    expr=self.node(node.expr),
                    range_ms=self._length(node.range_expr, node.range_ms),
                    step_ms=self._length(node.step_expr, node.step_ms or 0) or None,
                    offset_ms=self._length(node.offset_expr, node.offset_ms, may_be_negative=True),
                )
            case Unary() | Paren():
                return replace(node, expr=self.node(node.expr))
            case Call():
                return replace(node, args=tuple(self.node(arg) for arg in node.args))
            case Aggregate():
                param = None if node.param is None else self.node(node.param)
                return replace(node, expr=self.node(node.expr), param=param)
            case Binary():
                return replace(node, lhs=self.node(node.lhs), rhs=self.node(node.rhs))
            case _:
                return node

    def _selector(self, node: Selector) -> Selector:
        return replace(node, offset_ms=self._length(node.offset_expr, node.offset_ms, may_be_negative=True))

    def _length(self, expr: Duration | None, fixed_ms: int, *, may_be_negative: bool = False) -> int:
        if expr is None:
            return fixed_ms
        place = f"{expr.span.start}:{expr.span.end}"
        seconds = self._seconds(expr)
        if not math.isfinite(seconds):
            raise QueryError(f"{place}: duration is NaN or infinite")
        if seconds <= 0 and not may_be_negative:
            raise QueryError(f"{place}: duration must be greater than 0")
        if abs(seconds) > _MAX_S:
            raise QueryError(f"{place}: duration is out of range")
        return int(seconds * 1000)

    def _seconds(self, expr: Duration | Number) -> float:
        if isinstance(expr, Number):
            return expr.value
        if expr.op in ("step", "range"):
            return self.step_s if expr.op == "step" else self.range_s
        values = [self._seconds(operand) for operand in expr.operands]
        if len(values) == 1:
            return -values[0] if expr.op == "-" else values[0]
        left, right = values
        if expr.op in "/%" and right == 0:
            what = "division" if expr.op == "/" else "modulo"
            raise QueryError(f"{expr.span.start}:{expr.span.end}: {what} by zero")
        return _OPERATORS[expr.op](left, right)


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except (OverflowError, ValueError):  # no length of time either way
        return math.nan


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": math.fmod,
    "^": _power, "min_of": min, "max_of": max,
}  # fmt: skip
