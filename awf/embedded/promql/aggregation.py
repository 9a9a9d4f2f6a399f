"""Aggregation operators over the series of a vector, for all steps at once."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from awf.embedded.promql.quantiles import row_quantiles
from awf.embedded.promql.syntax import Aggregate
from awf.embedded.promql.values import (
    NAME,
    Floats,
    Ints,
    Labels,
    Vector,
    any_groups,
    check_cells,
    empty,
    group,
    key,
    only,
    reduce_groups,
    sort_key,
    sum_groups,
    without,
)
from awf.errors import QueryError

_SCALE = 2.0**-64

AGGREGATIONS = frozenset(
    {"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile",
     "count_values"}
)  # fmt: skip


def aggregate(node: Aggregate, vector: Vector, param: Floats | str | None) -> Vector:
    """Evaluate an aggregation; `param` is a number a step, or the label of count_values."""
    if not len(vector):
        return empty(vector.values.shape[1])
    labels = [_group_labels(node, item) for item in vector.labels]
    ids, firsts = group(key(item) for item in labels)
    groups = [labels[first] for first in firsts]
    if isinstance(param, str):
        return _count_values(vector, ids, groups, param)
    if node.op in ("topk", "bottomk"):
        return _top(vector, ids, _wanted(param, vector), largest=node.op == "topk")
    present = any_groups(vector.present, ids, len(groups))
    if node.op == "quantile":
        return Vector(groups, _quantile(vector, ids, len(groups), param), present)
    return Vector(groups, _REDUCERS[node.op](vector, ids, len(groups)), present)


def _group_labels(node: Aggregate, labels: Labels) -> Labels:
    return without(labels, (*node.labels, NAME)) if node.without else only(labels, node.labels)


def _sum(vector: Vector, ids: Ints, groups: int) -> Floats:
    return sum_groups(np.where(vector.present, vector.values, 0.0), ids, groups)


def _count(vector: Vector, ids: Ints, groups: int) -> Floats:
    return sum_groups(vector.present.astype(np.float64), ids, groups)


def _avg(vector: Vector, ids: Ints, groups: int) -> Floats:
    count = np.maximum(_count(vector, ids, groups), 1.0)
    mean = _sum(vector, ids, groups) / count
    if np.isinf(mean).any():  # the sum may have overflowed where the mean does not
        scaled = Vector(vector.labels, vector.values * _SCALE, vector.present)
        mean = np.where(np.isinf(mean), _sum(scaled, ids, groups) / count / _SCALE, mean)
    return mean


def _min(vector: Vector, ids: Ints, groups: int) -> Floats:
    return reduce_groups(np.fmin, np.where(vector.present, vector.values, np.nan), ids, groups)


def _max(vector: Vector, ids: Ints, groups: int) -> Floats:
    return reduce_groups(np.fmax, np.where(vector.present, vector.values, np.nan), ids, groups)


def _group(vector: Vector, _ids: Ints, groups: int) -> Floats:
    return np.ones((groups, vector.values.shape[1]))


def _stdvar(vector: Vector, ids: Ints, groups: int) -> Floats:
    count = np.maximum(_count(vector, ids, groups), 1.0)
    mean = _sum(vector, ids, groups) / count
    spread = np.where(vector.present, vector.values - mean[ids], 0.0)
    return sum_groups(spread * spread, ids, groups) / count


def _stddev(vector: Vector, ids: Ints, groups: int) -> Floats:
    return np.sqrt(_stdvar(vector, ids, groups))


_REDUCERS: dict[str, Callable[[Vector, Ints, int], Floats]] = {
    "avg": _avg, "count": _count, "group": _group, "max": _max, "min": _min,
    "stddev": _stddev, "stdvar": _stdvar, "sum": _sum,
}  # fmt: skip


def _quantile(vector: Vector, ids: Ints, groups: int, param: Floats | None) -> Floats:
    fraction = _required(param)
    result = np.zeros((groups, vector.values.shape[1]))
    for number, rows in enumerate(_members(ids, groups)):
        result[number] = row_quantiles(vector.values[rows].T, vector.present[rows].T, fraction)
    return result


def _members(ids: Ints, groups: int) -> list[Ints]:
    order: Ints = np.argsort(ids, kind="stable")
    return np.split(order, np.searchsorted(ids[order], np.arange(1, groups)))


def _required(param: Floats | None) -> Floats:
    if param is None:
        raise TypeError("the parser let an aggregation without its parameter through")
    return param


def _wanted(param: Floats | None, vector: Vector) -> Ints:
    """Return how many series topk keeps at each step. Raises QueryError where that is no number."""
    wanted = _required(param)
    if np.isnan(wanted).any():
        raise QueryError("Parameter value is NaN")
    if (np.abs(wanted) >= 2.0**63).any():
        raise QueryError(f"Scalar value {wanted[np.abs(wanted) >= 2.0**63][0]:g} overflows int64")
    return np.clip(np.trunc(wanted), 0, len(vector)).astype(np.int64)


def _top(vector: Vector, ids: Ints, wanted: Ints, *, largest: bool) -> Vector:
    """Keep the k extreme samples of each group at each step; NaN only when nothing else is left."""
    in_order = np.array(sorted(range(len(vector)), key=lambda row: sort_key(vector.labels[row])))
    vector, ids = vector.rows(in_order), ids[in_order]
    present = np.zeros(vector.present.shape, dtype=bool)
    ranked: list[int] = []
    keys = -vector.values if largest else vector.values
    for rows in _members(*_renumbered(ids)):
        absent = ~vector.present[rows]
        order = np.lexsort((np.where(absent, 0.0, keys[rows]), absent), axis=0)
        place = np.argsort(order, axis=0, kind="stable")
        present[rows] = (place < wanted) & vector.present[rows]
        ranked.extend(rows[order[:, 0]].tolist())
    result = Vector(vector.labels, vector.values, present)
    if vector.values.shape[1] == 1:  # an instant query lists the extremes first
        result = result.rows(np.array(ranked))
    return result.occupied()


def _renumbered(ids: Ints) -> tuple[Ints, int]:
    _, first, dense = np.unique(ids, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[dense], len(first)


def _count_values(vector: Vector, ids: Ints, groups: list[Labels], label: str) -> Vector:
    if not label:
        raise QueryError(f"invalid label name {label!r} in count_values()")
    steps = vector.values.shape[1]
    labels: list[Labels] = []
    counts: list[Floats] = []
    for number, rows in enumerate(_members(ids, len(groups))):
        bits, present = vector.values[rows].view(np.int64), vector.present[rows]
        distinct = np.unique(bits[present])  # by bits: -0 and 0 are different values here
        check_cells(len(counts) + len(distinct), steps)
        for value in distinct:
            text = format_value(float(value.view(np.float64)))
            labels.append({**groups[number], label: text})
            counts.append(((bits == value) & present).sum(axis=0).astype(np.float64))
    if not counts:
        return empty(steps)
    matrix = np.array(counts)
    ids, firsts = group(key(item) for item in labels)
    matrix = sum_groups(matrix, ids, len(firsts))
    return Vector([labels[first] for first in firsts], matrix, matrix > 0)


def format_value(value: float) -> str:
    """Write a number as Prometheus does in labels: no exponent, no needless digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")
