"""What binary operators compute, apart from how series are paired."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from awf.embedded.promql.values import Bools, Floats

ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod, "^": np.power,
    "atan2": np.arctan2,
}  # fmt: skip
COMPARISONS: dict[str, Callable[[Floats, Floats], Bools]] = {
    "==": np.equal, "!=": np.not_equal, ">": np.greater, "<": np.less,
    ">=": np.greater_equal, "<=": np.less_equal,
}  # fmt: skip
SET_OPERATORS = frozenset({"and", "or", "unless"})


def apply(op: str, lhs: Floats, rhs: Floats, *, kept: Floats, returns_bool: bool) -> tuple[Floats, Bools]:
    """Return the values of `lhs op rhs`, and where there is one.

    A comparison keeps the values of `kept` where it holds; with bool it is 1 or 0 everywhere.
    """
    if op in ARITHMETIC:
        values = ARITHMETIC[op](lhs, rhs)
        return values, np.ones(values.shape, dtype=bool)
    holds = COMPARISONS[op](lhs, rhs)
    if returns_bool:
        return holds.astype(np.float64), np.ones(holds.shape, dtype=bool)
    return np.broadcast_to(kept, holds.shape), holds
