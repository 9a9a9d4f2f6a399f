"""Vector aggregations: sum, avg, min, max, count, stddev, stdvar, topk, bottomk over frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

import numpy as np

from awf.embedded.logql import nodes
from awf.embedded.logql.frame import Frame, LabelSet, Present, Values, drop_labels, keep_labels


def _sum(values: Values, present: Present) -> Values:
    return np.asarray(np.where(present, values, 0.0).sum(axis=0))


def _average(values: Values, present: Present) -> Values:
    return np.asarray(_sum(values, present) / present.sum(axis=0))


def _extreme(ufunc: np.ufunc) -> Callable[[Values, Present], Values]:
    """A NaN counts only where there is nothing else, as in Prometheus."""
    return lambda values, present: np.asarray(ufunc.reduce(np.where(present, values, np.nan), axis=0))


def _variance(values: Values, present: Present) -> Values:
    """From the smallest value on, so that equal values vary by exactly nothing."""
    above = values - np.fmin.reduce(np.where(present, values, np.nan), axis=0)
    return np.asarray(_sum((above - _average(above, present)) ** 2, present) / present.sum(axis=0))


_AGGREGATE: Final[dict[str, Callable[[Values, Present], Values]]] = {
    "sum": _sum,
    "avg": _average,
    "min": _extreme(np.fmin),
    "max": _extreme(np.fmax),
    "count": lambda _, present: present.sum(axis=0).astype(np.float64),
    "stdvar": _variance,
    "stddev": lambda values, present: np.sqrt(_variance(values, present)),
}


def evaluate(node: nodes.VectorAggregation, frame: Frame) -> Frame:
    """Apply the aggregation at every step."""
    if not frame.labels:
        return frame
    if node.op in {"sort", "sort_desc"}:
        return _ordered(node, frame)
    groups: defaultdict[LabelSet, list[int]] = defaultdict(list)
    for row, labels in enumerate(frame.labels):
        groups[group_key(labels, node.grouping)].append(row)
    if node.op in {"topk", "bottomk", "approx_topk"}:
        return _ordered(node, frame.where(_ranked(node, frame, list(groups.values()))))
    aggregate = _AGGREGATE[node.op]
    with np.errstate(all="ignore"):
        return Frame.build(
            (
                (
                    key,
                    aggregate(frame.values[rows], frame.present[rows]),
                    np.asarray(frame.present[rows].any(axis=0)),
                )
                for key, rows in groups.items()
            ),
            frame.steps,
        )


def group_key(labels: LabelSet, grouping: nodes.Grouping | None) -> LabelSet:
    if grouping is None:
        return ()
    return (drop_labels if grouping.without else keep_labels)(labels, grouping.names)


def _ranked(node: nodes.VectorAggregation, frame: Frame, groups: list[list[int]]) -> Present:
    """Mark the k largest or smallest of each group at each step; NaN ranks last, ties by series order."""
    keep = np.zeros_like(frame.present)
    sign = 1.0 if node.op == "bottomk" else -1.0
    for rows in groups:
        values = frame.values[rows]
        order = np.lexsort((sign * values, np.isnan(values), ~frame.present[rows]), axis=0)[: node.parameter]
        np.put_along_axis(picked := np.zeros((len(rows), frame.steps), dtype=bool), order, True, axis=0)
        keep[rows] = picked
    return keep


def _ordered(node: nodes.VectorAggregation, frame: Frame) -> Frame:
    """Order the series of an instant query by value; over several steps there is no one order."""
    if frame.steps != 1:
        return frame
    sign = 1.0 if node.op in {"sort", "bottomk"} else -1.0
    values = frame.values[:, 0]
    order = np.lexsort((sign * values, np.isnan(values)))
    return Frame(tuple(frame.labels[row] for row in order), frame.values[order], frame.present[order])
