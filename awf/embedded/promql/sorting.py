"""The sort functions. They order an instant query's result; a range query's is ordered by labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from awf.embedded.promql.selection import Context
from awf.embedded.promql.syntax import Call
from awf.embedded.promql.values import Labels, Vector, sort_key

_DIGITS = re.compile(r"(\d+)")


def by_value(vector: Vector, context: Context, call: Call) -> Vector:
    """Order rows by value, NaN last."""
    if not _is_instant(context, call) or not len(vector):
        return vector
    column = vector.values[:, 0]
    return vector.rows(np.argsort(-column if call.name == "sort_desc" else column, kind="stable"))


def by_label(vector: Vector, names: Sequence[str], context: Context, call: Call) -> Vector:
    """Order rows by labels, numbers in them as numbers; equal ones by all their labels."""
    if not _is_instant(context, call) or not len(vector):
        return vector

    def place(row: int) -> tuple[object, ...]:
        labels: Labels = vector.labels[row]
        return *(natural(labels.get(name, "")) for name in names), sort_key(labels)

    order = sorted(range(len(vector)), key=place, reverse=call.name == "sort_by_label_desc")
    return vector.rows(np.array(order))


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that orders `a2` before `a10`."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(text) if part
    )


def _is_instant(context: Context, call: Call) -> bool:
    if context.steps == 1:
        return True
    context.notes.warn(
        "sort is ineffective for range queries since results are always ordered by labels", call.span
    )
    return False
