"""Binary operators: arithmetic, comparisons and set operators between frames and numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from awf.embedded.logql import nodes
from awf.embedded.logql.frame import Frame, LabelSet, Present, Values, drop_labels, keep_labels, label_set
from awf.errors import QueryError


def _divide(left: Values, right: Values) -> Values:
    """Division by zero is NaN in LogQL, not infinite."""
    return np.where(right == 0, np.nan, left / right)


def _modulo(left: Values, right: Values) -> Values:
    return np.where(right == 0, np.nan, np.fmod(left, right))


_ARITHMETIC: Final[dict[str, Callable[[Values, Values], Values]]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": _divide, "%": _modulo, "^": np.power,
}  # fmt: skip
_COMPARISON: Final[dict[str, Callable[[Values, Values], Present]]] = {
    "==": np.equal, "!=": np.not_equal, ">": np.greater, ">=": np.greater_equal,
    "<": np.less, "<=": np.less_equal,
}  # fmt: skip

Row = tuple[LabelSet, Values, Present]


def evaluate(node: nodes.Binary, left: Frame | float, right: Frame | float) -> Frame | float:
    """Apply the operator. Raises QueryError for a match that is not one-to-one."""
    with np.errstate(all="ignore"):
        if isinstance(left, Frame) and isinstance(right, Frame):
            if node.op in {"and", "or", "unless"}:
                return Frame.build(_set_rows(node, left, right), left.steps)
            return Frame.build(_matched_rows(node, left, right), left.steps)
        if isinstance(left, Frame):
            return _with_number(node, left, left.values, np.asarray(right, dtype=np.float64))
        if isinstance(right, Frame):
            return _with_number(node, right, np.asarray(left, dtype=np.float64), right.values)
        operate = _ARITHMETIC.get(node.op) or _COMPARISON[node.op]
        return float(operate(np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)))


def _with_number(node: nodes.Binary, frame: Frame, left: Values, right: Values) -> Frame:
    """A comparison keeps the vector's samples, whichever side it stands on."""
    if node.op in _ARITHMETIC:
        return Frame(frame.labels, _ARITHMETIC[node.op](left, right), frame.present)
    holds = _COMPARISON[node.op](left, right)
    if node.matching.returns_bool:
        return Frame(frame.labels, holds.astype(np.float64), frame.present)
    return frame.where(holds)


def _signature(labels: LabelSet, matching: nodes.Matching) -> LabelSet:
    return (
        keep_labels(drop_labels(labels, ()), matching.names)
        if matching.on
        else drop_labels(labels, matching.names)
    )


def _by_signature(frame: Frame, matching: nodes.Matching) -> dict[LabelSet, list[int]]:
    rows: defaultdict[LabelSet, list[int]] = defaultdict(list)
    for row, labels in enumerate(frame.labels):
        rows[_signature(labels, matching)].append(row)
    return rows


def _matched_rows(node: nodes.Binary, left: Frame, right: Frame) -> Iterator[Row]:
    if node.matching.many:
        yield from _grouped_rows(node, left, right)
        return
    right_rows = _by_signature(right, node.matching)
    _check_unique(right, right_rows.values(), "right")
    for signature, rows in _by_signature(left, node.matching).items():
        partners = right_rows.get(signature, [])
        matched = left.present[rows].sum(axis=0) * right.present[partners].any(axis=0)
        if (matched > 1).any():
            raise QueryError(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            )
        for row in rows:
            for partner in partners:
                present = left.present[row] & right.present[partner]
                yield _merge(node, signature, left.values[row], right.values[partner], present)


def _grouped_rows(node: nodes.Binary, left: Frame, right: Frame) -> Iterator[Row]:
    """Every series of the many side meets the one series of the other side, and keeps its own labels."""
    matching = node.matching
    many, one = (right, left) if matching.many == "right" else (left, right)
    ones = _by_signature(one, matching)
    _check_unique(one, ones.values(), "left" if matching.many == "right" else "right")
    for signature, rows in _by_signature(many, matching).items():
        partners = ones.get(signature, [])
        taken: dict[LabelSet, Present] = {}
        for row in rows:
            for partner in partners:
                labels = _with_included(many.labels[row], one.labels[partner], matching.include)
                present = many.present[row] & one.present[partner]
                if (taken.get(labels, np.zeros_like(present)) & present).any():
                    raise QueryError(
                        "multiple matches for labels: grouping labels must ensure unique matches"
                    )
                taken[labels] = taken.get(labels, np.zeros_like(present)) | present
                pair = (many.values[row], one.values[partner])
                first, second = pair[::-1] if matching.many == "right" else pair
                yield _merge(node, labels, first, second, present)


def _check_unique(frame: Frame, groups: Iterable[list[int]], side: str) -> None:
    for rows in groups:
        if (frame.present[rows].sum(axis=0) > 1).any():
            raise QueryError(
                f"found duplicate series on the {side} hand-side;many-to-many matching not allowed: "
                "matching labels must be unique on one side"
            )


def _with_included(labels: LabelSet, others: LabelSet, names: tuple[str, ...]) -> LabelSet:
    found = {name: value for name, value in others if name in names and value}
    return label_set(dict(drop_labels(labels, names)) | found)


def _merge(node: nodes.Binary, labels: LabelSet, left: Values, right: Values, present: Present) -> Row:
    if node.op in _ARITHMETIC:
        return labels, _ARITHMETIC[node.op](left, right), present
    holds = _COMPARISON[node.op](left, right)
    if node.matching.returns_bool:
        return labels, holds.astype(np.float64), present
    return labels, left, present & holds


def _set_rows(node: nodes.Binary, left: Frame, right: Frame) -> Iterator[Row]:
    mine, other = (right, left) if node.op == "or" else (left, right)
    other_rows = _by_signature(other, node.matching)
    if node.op == "or":
        yield from zip(left.labels, left.values, left.present, strict=True)
    for labels, values, present in zip(mine.labels, mine.values, mine.present, strict=True):
        rows = other_rows.get(_signature(labels, node.matching), [])
        found = other.present[rows].any(axis=0)
        yield labels, values, present & (found if node.op == "and" else ~found)
