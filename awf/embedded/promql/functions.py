"""Functions of instant vectors and scalars: mathematics, clamping, sorting, conversions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from awf.embedded.promql import dates, histogram, relabel
from awf.embedded.promql.selection import Context
from awf.embedded.promql.values import Floats, Vector, drop_name

Value = Vector | Floats | str
Function = Callable[[Context, Sequence[Value]], Value]


def vector_arg(args: Sequence[Value], index: int) -> Vector:
    """Return an argument that the parser has checked to be an instant vector."""
    value = args[index]
    if not isinstance(value, Vector):
        raise TypeError(f"argument {index} is {type(value).__name__}, not an instant vector")
    return value


def scalar_arg(args: Sequence[Value], index: int) -> Floats:
    """Return an argument that the parser has checked to be a scalar: one value a step."""
    value = args[index]
    if not isinstance(value, np.ndarray):
        raise TypeError(f"argument {index} is {type(value).__name__}, not a scalar")
    return value


def text_arg(args: Sequence[Value], index: int) -> str:
    """Return an argument that the parser has checked to be a string."""
    value = args[index]
    if not isinstance(value, str):
        raise TypeError(f"argument {index} is {type(value).__name__}, not a string")
    return value


def _per_value(operation: Callable[[Floats], Floats]) -> Function:
    def apply(_: Context, args: Sequence[Value]) -> Value:
        vector = vector_arg(args, 0)
        return drop_name(Vector(vector.labels, operation(vector.values), vector.present))

    return apply


def _date_part(operation: Callable[[Floats], Floats]) -> Function:
    def apply(context: Context, args: Sequence[Value]) -> Value:
        return _per_value(operation)(context, args or (_vector(context, (_time(context, ()),)),))

    return apply


def _time(context: Context, _: Sequence[Value]) -> Value:
    return context.times / 1000.0


def _pi(context: Context, _: Sequence[Value]) -> Value:
    return np.full(context.steps, np.pi)


def _vector(_: Context, args: Sequence[Value]) -> Value:
    values = scalar_arg(args, 0)[None, :]
    return Vector([{}], values, np.ones(values.shape, dtype=bool))


def _scalar(_: Context, args: Sequence[Value]) -> Value:
    vector = vector_arg(args, 0)
    total = np.where(vector.present, vector.values, 0.0).sum(axis=0)
    return np.where(vector.present.sum(axis=0) == 1, total, np.nan)


def _clamp(_: Context, args: Sequence[Value]) -> Value:
    return _clamped(vector_arg(args, 0), scalar_arg(args, 1), scalar_arg(args, 2))


def _clamp_min(_: Context, args: Sequence[Value]) -> Value:
    limit = scalar_arg(args, 1)
    return _clamped(vector_arg(args, 0), limit, np.full(len(limit), np.inf))


def _clamp_max(_: Context, args: Sequence[Value]) -> Value:
    limit = scalar_arg(args, 1)
    return _clamped(vector_arg(args, 0), np.full(len(limit), -np.inf), limit)


def _clamped(vector: Vector, low: Floats, high: Floats) -> Vector:
    """Limit values; where the bounds cross there is no result. A NaN stays, or comes from a bound,
    except that an infinite bound wins over it, as in Go's math.Max and math.Min."""
    below = np.where(np.isneginf(high), -np.inf, np.minimum(high, vector.values))
    values = np.where(np.isposinf(low), np.inf, np.maximum(low, below))
    return drop_name(Vector(vector.labels, values, vector.present & ~(high < low)))


def _round(context: Context, args: Sequence[Value]) -> Value:
    nearest = scalar_arg(args, 1) if len(args) > 1 else np.ones(context.steps)
    inverse = 1.0 / nearest  # Prometheus divides by the inverse, which is more exact for 0.1 and the like
    return _per_value(lambda values: np.floor(values * inverse + 0.5) / inverse)(context, args)


def _sort(context: Context, args: Sequence[Value]) -> Value:
    return _sorted(context, vector_arg(args, 0), descending=False)


def _sort_desc(context: Context, args: Sequence[Value]) -> Value:
    return _sorted(context, vector_arg(args, 0), descending=True)


def _sorted(context: Context, vector: Vector, *, descending: bool) -> Vector:
    """Order rows by value, NaN last; has no effect on a range query, as in Prometheus."""
    if context.steps != 1 or not len(vector):
        return vector
    column = vector.values[:, 0]
    return vector.rows(np.argsort(-column if descending else column, kind="stable"))


def _label_replace(_: Context, args: Sequence[Value]) -> Value:
    target, replacement, source, pattern = (text_arg(args, index) for index in range(1, 5))
    return relabel.label_replace(vector_arg(args, 0), target, replacement, source, pattern)


def _label_join(_: Context, args: Sequence[Value]) -> Value:
    sources = [text_arg(args, index) for index in range(3, len(args))]
    return relabel.label_join(vector_arg(args, 0), text_arg(args, 1), text_arg(args, 2), sources)


def _histogram_quantile(_: Context, args: Sequence[Value]) -> Value:
    return histogram.histogram_quantile(scalar_arg(args, 0), vector_arg(args, 1))


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
    "histogram_quantile": _histogram_quantile,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": _pi,
    "round": _round,
    "scalar": _scalar,
    "sort": _sort,
    "sort_desc": _sort_desc,
    "time": _time,
    "vector": _vector,
}
"""Functions of evaluated arguments. `timestamp` and `absent*` need their argument's text: see `evaluator`."""
