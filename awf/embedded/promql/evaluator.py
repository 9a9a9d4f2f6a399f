"""Walks an expression tree and computes its value at every step of a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from awf.embedded import deadline
from awf.embedded.model import SeriesBlock, SeriesData
from awf.embedded.promql import aggregation, binary, extended
from awf.embedded.promql.absence import absence
from awf.embedded.promql.functions import FUNCTIONS, Arguments, Value
from awf.embedded.promql.info import info
from awf.embedded.promql.over_time import KEEPS_NAME, KERNELS, Result
from awf.embedded.promql.selection import Context, Windows, instant_vector, select, windows
from awf.embedded.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Node,
    Number,
    Paren,
    RangeSelector,
    Selector,
    Subquery,
    Text,
    Unary,
    bare,
    kind,
)
from awf.embedded.promql.values import (
    NAME,
    Floats,
    Ints,
    KeptName,
    Labels,
    Vector,
    check_cells,
    drop_name,
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
        case Paren():
            return evaluate(node.expr, context)
        case Selector():
            return _selected(node, context)
        case Call():
            return _call(node, context)
        case Aggregate():
            return _aggregate(node, context)
        case Unary():
            value = evaluate(node.expr, context)
            return _negated(value) if node.op == "-" else value
        case Binary():
            return _binary(node, context)
        case _:
            raise QueryError("a range vector stands where an instant vector is expected")


def raw_series(node: RangeSelector | Subquery, context: Context) -> tuple[Sequence[SeriesData], Ints]:
    """Return the series a range vector reads, and the times at which its windows end."""
    if isinstance(node, Subquery):
        ends = context.moments(node.offset_ms, node.at)
        return _subquery(node, context, ends), ends
    selector = node.selector
    ends = context.moments(selector.offset_ms, selector.at)
    before, after = _reach(selector, context)
    return select(context, selector, ends + after, node.range_ms + before + after), ends


def _reach(selector: Selector, context: Context) -> tuple[int, int]:
    """Return how far beyond a range its selector looks, before its start and after its end."""
    before = context.lookback_ms if selector.extension else 0
    return before, before if selector.extension == "smoothed" else 0


def _selected(selector: Selector, context: Context) -> Vector:
    if selector.extension == "smoothed":
        return _smoothed(selector, context)
    return _named(instant_vector(context, selector), context)


def _smoothed(selector: Selector, context: Context) -> Vector:
    ends = context.moments(selector.offset_ms, selector.at)
    reach = context.lookback_ms
    series = select(context, selector, ends + reach, 2 * reach)
    parts = _windows(series, ends, context, (reach, reach, 0))
    return _named(_computed(series, context, (extended.smoothed_instant(part) for part in parts)), context)


def _named(vector: Vector, context: Context) -> Vector:
    """Mark metric names that are to stay in sight to the end of the query."""
    if not context.delays_names:
        return vector
    return Vector([_kept(labels) for labels in vector.labels], vector.values, vector.present)


def _kept(labels: Labels) -> Labels:
    name = labels.get(NAME)
    return labels if name is None or isinstance(name, KeptName) else {**labels, NAME: KeptName(name)}


def _vector(node: Node, context: Context) -> Vector:
    value = evaluate(node, context)
    if not isinstance(value, Vector):
        raise QueryError("an instant vector is expected")
    return value


def _aggregate(node: Aggregate, context: Context) -> Vector:
    param = None if node.param is None else evaluate(node.param, context)
    if isinstance(param, Vector):
        raise QueryError(f"the parameter of {node.op}() must be a scalar or a string")
    return aggregation.aggregate(node, _vector(node.expr, context), param, context.notes)


def _negated(value: Value) -> Value:
    if isinstance(value, Vector):
        return drop_name(Vector(value.labels, -value.values, value.present))
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
    match node.name:
        case "absent_over_time":
            return absence(node.args[0], _over_range(replace(node, name="present_over_time"), context))
        case "absent":
            return absence(node.args[0], _vector(node.args[0], context))
        case "timestamp":
            return _timestamp(bare(node.args[0]), context)
        case "info":
            return info(node, _vector(node.args[0], context), context)
        case name if name in KERNELS:
            return _over_range(node, context)
    values = [evaluate(arg, context) for arg in node.args]
    return FUNCTIONS[node.name](Arguments(context, node, values))


def _timestamp(arg: Node, context: Context) -> Vector:
    """A selector's samples have times of their own; any other value is as old as its step."""
    if isinstance(arg, Selector):
        return drop_name(_named(instant_vector(context, arg, timestamps=True), context))
    vector = _vector(arg, context)
    times = np.broadcast_to(context.times / 1000.0, vector.values.shape)
    return drop_name(Vector(vector.labels, times, vector.present))


def _over_range(node: Call, context: Context) -> Vector:
    source = next(item for arg in node.args if isinstance(item := bare(arg), RangeSelector | Subquery))
    params: list[Floats] = []
    for arg in node.args:
        if kind(arg) != "matrix":
            value = evaluate(arg, context)
            if not isinstance(value, np.ndarray):
                raise QueryError(f"the parameter of {node.name}() must be a scalar")
            params.append(value)
    series, ends = raw_series(source, context)
    results = _kernel_results(node, source, params, _Read(series, ends, context))
    vector = _computed(series, context, results)
    _note(node, vector, params, context)
    vector = _named(vector, context)
    strict = not context.delays_names
    return merge(vector, strict=strict) if node.name in KEEPS_NAME else drop_name(vector, strict=strict)


class _Read:
    """Series that were read for a range vector, and where its windows end."""

    def __init__(self, series: Sequence[SeriesData], ends: Ints, context: Context) -> None:
        self.series = series
        self.ends = ends
        self.context = context

    def windows(self, range_ms: int, before: int = 0, after: int = 0) -> Iterator[Windows]:
        return _windows(self.series, self.ends, self.context, (before, after, range_ms))


def _windows(
    series: Sequence[SeriesData], ends: Ints, context: Context, reach: tuple[int, int, int]
) -> Iterator[Windows]:
    """Yield windows of a range that reach beyond it, before and after; they know the range itself."""
    before, after, range_ms = reach
    width = range_ms + before + after
    for part in windows(series, ends + after, context.times, width, closed=context.closed_ranges):
        yield replace(part, ends=ends, range_ms=range_ms)


def _kernel_results(
    node: Call, source: RangeSelector | Subquery, params: list[Floats], read: _Read
) -> Iterator[Result]:
    selector = source.selector if isinstance(source, RangeSelector) else None
    if selector is None or not selector.extension:
        kernel = KERNELS[node.name]
        yield from (kernel(part, params) for part in read.windows(source.range_ms))
        return
    extended.check_function(selector.extension, node.name)
    before, after = _reach(selector, read.context)
    for part in read.windows(source.range_ms, before, after):
        is_smooth = selector.extension == "smoothed"
        yield extended.smoothed(part, node.name) if is_smooth else extended.anchored(part, node.name)


def _computed(series: Sequence[SeriesData], context: Context, results: Iterator[Result]) -> Vector:
    """Put together what was computed for runs of the series."""
    values = np.zeros((len(series), context.steps))
    present = np.zeros((len(series), context.steps), dtype=bool)
    row = 0
    for result, here in results:
        deadline.check()
        rows = len(result) // context.steps
        values[row : row + rows] = result.reshape(rows, context.steps)
        present[row : row + rows] = here.reshape(rows, context.steps)
        row += rows
    return Vector(list(SeriesBlock.of(series).labels), values, present).occupied()


def _note(node: Call, vector: Vector, params: list[Floats], context: Context) -> None:
    if not len(vector):
        return
    if node.name in ("rate", "increase"):
        for name in {labels.get(NAME, "") for labels in vector.labels}:
            context.notes.counter(name, node.args[0].span)
    if node.name == "quantile_over_time":
        for value in np.unique(params[0][np.any(vector.present, axis=0)]).tolist():
            context.notes.quantile(value, node.args[0].span)


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
