"""Functions of instant vectors and scalars: mathematics, clamping, sorting, conversions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from awf.embedded.promql import dates, histogram, relabel, sorting
from awf.embedded.promql.selection import Context
from awf.embedded.promql.syntax import Call, Span
from awf.embedded.promql.values import Floats, Vector, drop_name, merge, stacked

Value = Vector | Floats | str


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call: where it stands, when it is evaluated, and its evaluated arguments. The types are those that
    the query was checked for."""

    context: Context
    call: Call
    values: Sequence[Value]

    def __len__(self) -> int:
        return len(self.values)

    def vector(self, index: int) -> Vector:
        value = self.values[index]
        if not isinstance(value, Vector):
            raise TypeError(f"argument {index} is {type(value).__name__}, not an instant vector")
        return value

    def scalar(self, index: int) -> Floats:
        """Return a scalar: one value a step."""
        value = self.values[index]
        if not isinstance(value, np.ndarray):
            raise TypeError(f"argument {index} is {type(value).__name__}, not a scalar")
        return value

    def text(self, index: int) -> str:
        value = self.values[index]
        if not isinstance(value, str):
            raise TypeError(f"argument {index} is {type(value).__name__}, not a string")
        return value

    def texts(self, first: int) -> list[str]:
        return [self.text(index) for index in range(first, len(self))]

    def span(self, index: int) -> Span:
        return self.call.args[index].span


Function = Callable[[Arguments], Value]


def _per_value(operation: Callable[[Floats], Floats]) -> Function:
    def apply(args: Arguments) -> Value:
        vector = args.vector(0)
        return drop_name(Vector(vector.labels, operation(vector.values), vector.present))

    return apply


def _date_part(operation: Callable[[Floats], Floats]) -> Function:
    def apply(args: Arguments) -> Value:
        vector = args.vector(0) if len(args) else _constant(_time(args))
        return drop_name(Vector(vector.labels, operation(vector.values), vector.present))

    return apply


def _time(args: Arguments) -> Floats:
    return args.context.times / 1000.0


def _fixed(value: Callable[[Context], float]) -> Function:
    return lambda args: np.full(args.context.steps, value(args.context))


def _constant(values: Floats) -> Vector:
    return Vector([{}], values[None, :], np.ones((1, len(values)), dtype=bool))


def _scalar(args: Arguments) -> Value:
    vector = args.vector(0)
    total = np.add.reduce(np.where(vector.present, vector.values, -0.0), axis=0, initial=-0.0)
    return np.where(vector.present.sum(axis=0) == 1, total, np.nan)


def _clamp(args: Arguments) -> Value:
    return _clamped(args.vector(0), args.scalar(1), args.scalar(2))


def _clamp_min(args: Arguments) -> Value:
    limit = args.scalar(1)
    return _clamped(args.vector(0), limit, np.full(len(limit), np.inf))


def _clamp_max(args: Arguments) -> Value:
    limit = args.scalar(1)
    return _clamped(args.vector(0), np.full(len(limit), -np.inf), limit)


def _clamped(vector: Vector, low: Floats, high: Floats) -> Vector:
    """Limit values; where the bounds cross there is no result."""
    values = go_max(low, go_min(high, vector.values))
    return drop_name(Vector(vector.labels, values, vector.present & ~(high < low)))


def go_min(first: Floats, second: Floats) -> Floats:
    """Return the smaller value. NaN comes through, but -Inf wins over it, as in Go's math.Min."""
    return np.where(np.isneginf(first) | np.isneginf(second), -np.inf, np.minimum(first, second))


def go_max(first: Floats, second: Floats) -> Floats:
    return np.where(np.isposinf(first) | np.isposinf(second), np.inf, np.maximum(first, second))


def _round(args: Arguments) -> Value:
    nearest = args.scalar(1) if len(args) > 1 else np.ones(args.context.steps)
    inverse = 1.0 / nearest  # Prometheus divides by the inverse, which is more exact for 0.1 and the like
    vector = args.vector(0)
    return drop_name(Vector(vector.labels, np.floor(vector.values * inverse + 0.5) / inverse, vector.present))


def _label_replace(args: Arguments) -> Value:
    target, replacement, source, pattern = args.texts(1)
    return relabel.label_replace(args.vector(0), target, replacement, source, pattern)


def _label_join(args: Arguments) -> Value:
    return relabel.label_join(args.vector(0), args.text(1), args.text(2), args.texts(3))


def _histogram_quantile(args: Arguments) -> Value:
    fraction = args.scalar(0)
    notes = args.context.notes
    _warn_of_quantiles(args, 0)
    buckets = histogram.buckets(args.vector(1), notes, args.span(1))
    return drop_name(histogram.quantile(fraction, buckets, args.context, args.span(1)))


def _histogram_quantiles(args: Arguments) -> Value:
    label = args.text(1)
    for index in range(2, len(args)):
        _warn_of_quantiles(args, index)
    buckets = histogram.buckets(args.vector(0), args.context.notes, args.span(0))
    parts = []
    for index in range(2, len(args)):
        fraction = args.scalar(index)
        part = histogram.quantile(fraction, buckets, args.context, args.span(0))
        parts.extend(histogram.labelled(part, label, fraction))
    return drop_name(merge(stacked(parts)))


def _histogram_fraction(args: Arguments) -> Value:
    buckets = histogram.buckets(args.vector(2), args.context.notes, args.span(2))
    return drop_name(histogram.fraction(args.scalar(0), args.scalar(1), buckets))


def _warn_of_quantiles(args: Arguments, index: int) -> None:
    for value in np.unique(args.scalar(index)).tolist():
        args.context.notes.quantile(value, args.span(index))


_MATH: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs, "ceil": np.ceil, "exp": np.exp, "floor": np.floor, "ln": np.log, "log10": np.log10,
    "log2": np.log2, "sqrt": np.sqrt, "sgn": np.sign, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "deg": np.degrees, "rad": np.radians,
}  # fmt: skip

FUNCTIONS: dict[str, Function] = {
    **{name: _per_value(operation) for name, operation in _MATH.items()},
    **{name: _date_part(operation) for name, operation in dates.PARTS.items()},
    "clamp": _clamp,
    "clamp_max": _clamp_max,
    "clamp_min": _clamp_min,
    "end": _fixed(lambda context: context.end_ms / 1000),
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "histogram_quantiles": _histogram_quantiles,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "max_of": lambda args: go_max(args.scalar(0), args.scalar(1)),
    "min_of": lambda args: go_min(args.scalar(0), args.scalar(1)),
    "pi": _fixed(lambda _: np.pi),
    "range": _fixed(lambda context: (context.end_ms - context.start_ms) / 1000),
    "round": _round,
    "scalar": _scalar,
    "sort": lambda args: sorting.by_value(args.vector(0), args.context, args.call),
    "sort_by_label": lambda args: sorting.by_label(args.vector(0), args.texts(1), args.context, args.call),
    "sort_by_label_desc": lambda args: sorting.by_label(
        args.vector(0), args.texts(1), args.context, args.call
    ),
    "sort_desc": lambda args: sorting.by_value(args.vector(0), args.context, args.call),
    "start": _fixed(lambda context: context.start_ms / 1000),
    "step": _fixed(lambda context: context.step_ms / 1000),
    "time": _time,
    "vector": lambda args: _constant(args.scalar(0)),
}
"""Functions of evaluated arguments. `timestamp`, `absent*` and `info` need their argument's text: see `evaluator`."""
