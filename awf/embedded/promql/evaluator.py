"""Walks an expression tree and computes its value at every step of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from awf.embedded import deadline
from awf.embedded.model import Matcher, MatchOp, SeriesData
from awf.embedded.promql import aggregation, binary
from awf.embedded.promql.functions import FUNCTIONS, Value
from awf.embedded.promql.over_time import KEEPS_NAME, KERNELS
from awf.embedded.promql.selection import Context, instant_vector, select, windows
from awf.embedded.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Node,
    Number,
    RangeSelector,
    Selector,
    Subquery,
    Text,
    Unary,
)
from awf.embedded.promql.values import (
    NAME,
    Bools,
    Floats,
    Ints,
    Labels,
    Vector,
    check_cells,
    drop_name,
    empty,
    merge,
)
from awf.errors import QueryError, QueryLimit

DEFAULT_SUBQUERY_STEP_MS = 60_000
MAX_SUBQUERY_STEPS = 200_000


def evaluate(node: Node, context: Context) -> Value:
    """Return the value at every step: a vector, a number a step, or a string."""
    deadline.check()
    match node:
        case Number():
            return np.full(context.steps, node.value)
        case Text():
            return node.value
        case Selector():
            return instant_vector(context, node)
        case Call():
            return _call(node, context)
        case Aggregate():
            param = None if node.param is None else evaluate(node.param, context)
            if isinstance(param, Vector):
                raise QueryError(f"the parameter of {node.op}() must be a scalar or a string")
            return aggregation.aggregate(node, _vector(node.expr, context), param)
        case Unary():
            return _negated(evaluate(node.expr, context))
        case Binary():
            return _binary(node, context)
        case _:
            raise QueryError("a range vector stands where an instant vector is expected")


def raw_series(node: RangeSelector | Subquery, context: Context) -> tuple[list[SeriesData], Ints]:
    """Return the series a range vector reads, and the times at which its windows end."""
    if isinstance(node, RangeSelector):
        ends = context.moments(node.selector.offset_ms, node.selector.at)
        return select(context, node.selector, ends, node.range_ms), ends
    ends = context.moments(node.offset_ms, node.at)
    return _subquery(node, context, ends), ends


def _vector(node: Node, context: Context) -> Vector:
    value = evaluate(node, context)
    if not isinstance(value, Vector):
        raise QueryError("an instant vector is expected")
    return value


def _negated(value: Value) -> Value:
    if isinstance(value, Vector):
        return drop_name(Vector(value.labels, -value.values, value.present), strict=True)
    if isinstance(value, str):
        raise QueryError("unary expression only allowed on expressions of type scalar or instant vector")
    return -value


def _binary(node: Binary, context: Context) -> Value:
    lhs, rhs = evaluate(node.lhs, context), evaluate(node.rhs, context)
    if isinstance(lhs, str) or isinstance(rhs, str):
        raise QueryError("binary expression must contain only scalar and instant vector types")
    if isinstance(lhs, Vector):
        if isinstance(rhs, Vector):
            return binary.vectors(node, lhs, rhs)
        return binary.vector_and_scalar(node, lhs, rhs, swapped=False)
    if isinstance(rhs, Vector):
        return binary.vector_and_scalar(node, rhs, lhs, swapped=True)
    return binary.scalars(node, lhs, rhs)


def _call(node: Call, context: Context) -> Value:
    if node.name in KERNELS:
        return _over_range(node, context)
    if node.name == "absent_over_time":
        counted = _over_range(replace(node, name="present_over_time"), context)
        return _absence(node.args[0], counted)
    if node.name == "absent":
        return _absence(node.args[0], _vector(node.args[0], context))
    if node.name == "timestamp":
        return _timestamp(node.args[0], context)
    return FUNCTIONS[node.name](context, [evaluate(arg, context) for arg in node.args])


def _timestamp(arg: Node, context: Context) -> Vector:
    """A selector's samples have times of their own; any other value is as old as its step."""
    if isinstance(arg, Selector):
        return drop_name(instant_vector(context, arg, timestamps=True))
    vector = _vector(arg, context)
    times = np.broadcast_to(context.times / 1000.0, vector.values.shape)
    return drop_name(Vector(vector.labels, times, vector.present))


def _absence(arg: Node, found: Vector) -> Vector:
    """One sample of value 1 wherever there is none, labelled by what the selector asks for."""
    missing: Bools = ~np.any(found.present, axis=0)
    if not missing.any():
        return empty(len(missing))
    selector = arg.selector if isinstance(arg, RangeSelector) else arg
    labels = _required_labels(selector.matchers) if isinstance(selector, Selector) else {}
    return Vector([labels], np.ones((1, len(missing))), missing[None, :])


def _required_labels(matchers: Sequence[Matcher]) -> Labels:
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in matchers:
        if matcher.name == NAME:
            continue
        if matcher.op is MatchOp.EQUAL and matcher.name not in seen:
            labels[matcher.name] = matcher.value
        else:
            labels.pop(matcher.name, None)
        seen.add(matcher.name)
    return {name: value for name, value in labels.items() if value}


def _over_range(node: Call, context: Context) -> Vector:
    source = next(arg for arg in node.args if isinstance(arg, RangeSelector | Subquery))
    params: list[Floats] = []
    for arg in node.args:
        if arg is not source:
            value = evaluate(arg, context)
            if not isinstance(value, np.ndarray):
                raise QueryError(f"the parameter of {node.name}() must be a scalar")
            params.append(value)
    series, ends = raw_series(source, context)
    kernel = KERNELS[node.name]
    values = np.zeros((len(series), context.steps))
    present = np.zeros((len(series), context.steps), dtype=bool)
    row = 0
    for part in windows(series, ends, context.times, source.range_ms, closed=context.closed_ranges):
        shape = (part.rows, context.steps)
        deadline.check()
        result, here = kernel(part, params)
        values[row : row + part.rows] = result.reshape(shape)
        present[row : row + part.rows] = here.reshape(shape)
        row += part.rows
    vector = Vector([item.labels for item in series], values, present).occupied()
    return merge(vector, strict=True) if node.name in KEEPS_NAME else drop_name(vector, strict=True)


def _subquery(node: Subquery, context: Context, ends: Ints) -> list[SeriesData]:
    """Evaluate the inner expression on its own grid, aligned to its step, over all windows."""
    step = node.step_ms or DEFAULT_SUBQUERY_STEP_MS
    before = int(ends.min()) - node.range_ms
    first = -(-before // step) * step
    if first == before and not context.closed_ranges:
        first += step
    count = max(0, (int(ends.max()) - first) // step + 1)
    if count > MAX_SUBQUERY_STEPS:
        raise QueryLimit(
            f"a subquery needs {count} steps, more than {MAX_SUBQUERY_STEPS}",
            hint="Raise its step or shorten its range.",
        )
    if not count:
        return []
    times = first + step * np.arange(count, dtype=np.int64)
    inner = replace(context, times=times)
    value = evaluate(node.expr, inner)
    if isinstance(value, np.ndarray):
        value = Vector([{}], value[None, :], np.ones((1, count), dtype=bool))
    if isinstance(value, str):
        raise QueryError("subquery is only allowed on instant vector, got string instead")
    check_cells(len(value), context.steps)
    return [
        SeriesData(labels, times[here], row[here])
        for labels, row, here in zip(value.labels, value.values, value.present, strict=True)
    ]
