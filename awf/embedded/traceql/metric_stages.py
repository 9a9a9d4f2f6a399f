"""What a metrics query does with its series: topk(), bottomk(), comparison with a number, arithmetic."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from functools import cmp_to_key
from typing import Any, Final

import numpy as np

from awf.embedded.traceql import nodes
from awf.embedded.traceql.lines import METRIC_NAME, LabelKey, Line, Lines, Values, by_key
from awf.embedded.traceql.results import Attributes
from awf.embedded.traceql.values import Value, text_of

_TESTS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TYPE_RANKS: Final = {int: 3, float: 4, bool: 6}


def evaluate(series: nodes.Series, measure: Callable[[nodes.Measured], Lines]) -> Lines:
    """Return the lines of a metrics query; `measure` gives those of its leaves."""
    match series:
        case nodes.Measured():
            return measure(series)
        case nodes.Threshold():
            return _threshold(series, evaluate(series.operand, measure))
        case nodes.Ranked():
            return _ranked(series, evaluate(series.operand, measure))
        case nodes.Scaled():
            return _scaled(series, evaluate(series.operand, measure))
        case nodes.Joined():
            return _joined(series.op, evaluate(series.left, measure), evaluate(series.right, measure))


def _threshold(stage: nodes.Threshold, lines: Lines) -> Lines:
    """Points that do not compare vanish, and lines that have none left."""
    found = {}
    for key, line in lines.items():
        values = np.where(_TESTS[stage.op](line.values, stage.value), line.values, np.nan)
        if not np.isnan(values).all():
            found[key] = Line(line.labels, values)
    return found


def _ranked(stage: nodes.Ranked, lines: Lines) -> Lines:
    """Rank the lines step by step; of equal values topk() takes the alphabetically first."""
    if len(lines) <= stage.limit:
        return lines
    ordered = sorted(lines, key=cmp_to_key(_compare_keys))
    table = np.array([lines[key].values for key in ordered])
    # Sorting is stable and NaN comes last: rows that stand later win a tie, as `_compare_keys` has them.
    if stage.function == "topk":
        order = np.argsort(-table[::-1], axis=0, kind="stable")
        order = len(ordered) - 1 - order
    else:
        order = np.argsort(table, axis=0, kind="stable")
    kept = np.full(table.shape, np.nan)
    chosen = order[: stage.limit]
    np.put_along_axis(kept, chosen, np.take_along_axis(table, chosen, axis=0), axis=0)
    return {
        key: Line(lines[key].labels, values)
        for key, values in zip(ordered, kept, strict=True)
        if not np.isnan(values).all()
    }


def _compare_keys(left: LabelKey, right: LabelKey) -> int:
    """Tempo's order of label sets: the later in the alphabet is the lesser."""
    for one, other in zip(left, right, strict=False):
        texts = (_text(one[2]), _text(other[2])), (one[0], other[0])
        for mine, theirs in texts:
            if mine != theirs:
                return -1 if mine > theirs else 1
        ranks = (_TYPE_RANKS.get(one[1], 5), _code(one[2])), (_TYPE_RANKS.get(other[1], 5), _code(other[2]))
        if ranks[0] != ranks[1]:
            return -1 if ranks[0] < ranks[1] else 1
    return (len(left) < len(right)) - (len(left) > len(right))


def _text(value: Value) -> str:
    return "" if isinstance(value, (bool, int, float)) and type(value) in _TYPE_RANKS else text_of(value)


def _code(value: Value) -> int:
    """Return the 64 bits of a number, read without sign as Tempo compares them."""
    if isinstance(value, float):
        return int(struct.unpack("<Q", struct.pack("<d", value))[0])
    return value % 2**64 if type(value) in {bool, int} and isinstance(value, int) else 0


def _scaled(stage: nodes.Scaled, lines: Lines) -> Lines:
    number = np.array(stage.value)
    return {
        key: Line(
            line.labels,
            _calculate(stage.op, number, line.values)
            if stage.is_number_left
            else _calculate(stage.op, line.values, number),
        )
        for key, line in lines.items()
    }


def _joined(op: str, left: Lines, right: Lines) -> Lines:
    """Lines with equal labels meet; one without labels meets all of the other side."""
    target = left if () in right else right
    found = []
    for key in target:
        one, other = left.get(key) or left.get(()), right.get(key) or right.get(())
        if one and other:
            found.append(
                Line(_labels(op, one.labels, other.labels), _calculate(op, one.values, other.values))
            )
    return by_key(found)


def _labels(op: str, left: Attributes, right: Attributes) -> Attributes:
    """Both sides' labels; two functions' names become `(rate / rate)`, one alone is dropped."""
    names = dict(left).get(METRIC_NAME), dict(right).get(METRIC_NAME)
    merged = {name: value for name, value in (*right, *left) if name != METRIC_NAME}
    ordered = {name: merged[name] for name, _ in (*left, *right) if name in merged}
    if all(isinstance(name, str) for name in names):
        return ((METRIC_NAME, f"({names[0]} {op} {names[1]})"), *ordered.items())
    return tuple(ordered.items())


def _calculate(op: str, left: Values, right: Values) -> Values:
    """Division by zero has no value."""
    with np.errstate(all="ignore"):
        if op == "+":
            return left + right
        if op == "-":
            return left - right
        if op == "*":
            return left * right
        return np.where(right == 0, np.nan, left / right)
