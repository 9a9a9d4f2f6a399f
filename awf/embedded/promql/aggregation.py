"""Aggregation operators that give one value a group, for all steps at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from awf.embedded.promql import choice
from awf.embedded.promql.notes import Notes
from awf.embedded.promql.quantiles import row_quantiles
from awf.embedded.promql.summation import group_sums
from awf.embedded.promql.syntax import Aggregate, Span
from awf.embedded.promql.values import (
    NAME,
    DroppedName,
    Floats,
    Ints,
    Labels,
    Vector,
    any_groups,
    check_cells,
    empty,
    format_value,
    group,
    group_by,
    is_label_name,
    key,
    members,
    names_of,
    only,
    reduce_groups,
    sum_groups,
    without,
)
from awf.errors import QueryError

_SCALE = 2.0**-64

AGGREGATIONS = frozenset(
    {"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "topk", "bottomk", "quantile",
     "count_values", "limitk", "limit_ratio"}
)  # fmt: skip


def aggregate(node: Aggregate, vector: Vector, param: Floats | str | None, notes: Notes) -> Vector:
    """Evaluate an aggregation; `param` is a number a step, or the label of count_values."""
    span = node.param.span if node.param else Span()
    if node.op == "quantile":
        _warn_of_quantiles(_required(param), notes, span)
    elif node.op in choice.CHOICES:
        choice.check(node.op, _required(param), notes, span)
    if not len(vector):
        return empty(vector.values.shape[1])
    ids, firsts = group_by(vector.labels, _grouping(node, vector.labels))
    if isinstance(param, str):
        return _count_values(vector, ids, [_group_labels(node, vector.labels[row]) for row in firsts], param)
    if node.op in choice.CHOICES:
        return choice.choose(node.op, vector, ids, _required(param))
    labels = _with_dropped_names(
        node, vector, ids, [_group_labels(node, vector.labels[row]) for row in firsts]
    )
    present = any_groups(vector.present, ids, len(firsts))
    if node.op == "quantile":
        return Vector(labels, _quantile(vector, ids, len(firsts), param), present)
    return Vector(labels, _REDUCERS[node.op](vector, ids, len(firsts)), present)


def _grouping(node: Aggregate, labels: Sequence[Labels]) -> set[str]:
    return names_of(labels).difference(node.labels, (NAME,)) if node.without else set(node.labels)


def _group_labels(node: Aggregate, labels: Labels) -> Labels:
    return without(labels, (*node.labels, NAME)) if node.without else only(labels, node.labels)


def _with_dropped_names(node: Aggregate, vector: Vector, ids: Ints, groups: list[Labels]) -> list[Labels]:
    """A group's name goes when that of any of its series does."""
    if node.without or NAME not in node.labels:
        return groups
    for labels, number in zip(vector.labels, ids.tolist(), strict=True):
        name = labels.get(NAME)
        if isinstance(name, DroppedName):
            groups[number] = {**groups[number], NAME: name}
    return groups


def _warn_of_quantiles(param: Floats, notes: Notes, span: Span) -> None:
    known = param[~np.isnan(param)]
    extremes = [float("nan")] if len(known) < len(param) else []
    for value in [*extremes, *((known.max(), known.min()) if len(known) else ())]:
        notes.quantile(float(value), span)


def _sum(vector: Vector, ids: Ints, groups: int) -> Floats:
    return group_sums(vector.values, vector.present, ids, groups)


def _count(vector: Vector, ids: Ints, groups: int) -> Floats:
    return sum_groups(vector.present.astype(np.float64), ids, groups)


def _avg(vector: Vector, ids: Ints, groups: int) -> Floats:
    count = np.maximum(_count(vector, ids, groups), 1.0)
    mean = _sum(vector, ids, groups) / count
    if np.isinf(mean).any():  # the sum may have overflowed where the mean does not
        scaled = group_sums(vector.values * _SCALE, vector.present, ids, groups)
        mean = np.where(np.isinf(mean), scaled / count / _SCALE, mean)
    return mean


def _min(vector: Vector, ids: Ints, groups: int) -> Floats:
    return reduce_groups(np.fmin, np.where(vector.present, vector.values, np.nan), ids, groups)


def _max(vector: Vector, ids: Ints, groups: int) -> Floats:
    return reduce_groups(np.fmax, np.where(vector.present, vector.values, np.nan), ids, groups)


def _group(vector: Vector, _ids: Ints, groups: int) -> Floats:
    return np.ones((groups, vector.values.shape[1]))


def _stdvar(vector: Vector, ids: Ints, groups: int) -> Floats:
    """Distances are taken from the smallest value first, so that equal values have none."""
    count = np.maximum(_count(vector, ids, groups), 1.0)
    above = vector.values - _min(vector, ids, groups)[ids]
    mean = sum_groups(np.where(vector.present, above, 0.0), ids, groups) / count
    spread = np.where(vector.present, above - mean[ids], 0.0)
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
    for number, rows in enumerate(members(ids, groups)):
        result[number] = row_quantiles(vector.values[rows].T, vector.present[rows].T, fraction)
    return result


def _required(param: Floats | str | None) -> Floats:
    if not isinstance(param, np.ndarray):
        raise TypeError("the parser let an aggregation without its parameter through")
    return param


def _count_values(vector: Vector, ids: Ints, groups: list[Labels], label: str) -> Vector:
    if not is_label_name(label):
        raise QueryError(f'invalid label name "{label}"')
    steps = vector.values.shape[1]
    labels: list[Labels] = []
    counts: list[Floats] = []
    for number, rows in enumerate(members(ids, len(groups))):
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
