"""Numbers in templates: Go's conversions, arithmetic that wraps at 64 bits, and comparisons."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

from awf.embedded.logql.template.values import Int64, TemplateError, type_name

_WRAP: Final = 2**64
_HALF: Final = 2**63
_INTEGER: Final = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9]\d*|0)")
_FLOAT: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity|nan)", re.IGNORECASE)
_DIGITS: Final = Context(prec=40)


def _wrapped(value: int) -> Int64:
    return Int64((value + _HALF) % _WRAP - _HALF)


def _integer(value: Any) -> int:
    """Read anything as an integer as Go's cast library does; what cannot be read is 0."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and abs(value) < _HALF else -_HALF
    if isinstance(value, str):
        whole, _, fraction = value.partition(".")
        text = whole if not fraction.strip("0") else value
        if _INTEGER.fullmatch(text) is None or len(text) > 70:
            return 0
        found = int(re.sub(r"^([+-]?)0(?=\d)", r"\g<1>0o", text), 0)
        return found if -_HALF <= found < _HALF else 0
    return 0


def to_int(value: Any) -> int:
    return _integer(value)


def to_float(value: Any) -> float:
    """Read anything as a float; what cannot be read is 0."""
    if isinstance(value, str):
        return float(value) if _FLOAT.fullmatch(value) else 0.0
    return float(value) if isinstance(value, int | float) else 0.0


def _folded(step: Callable[[int, int], int]) -> Callable[..., Int64]:
    def fold(first: Any, *rest: Any) -> Int64:
        total = _wrapped(_integer(first))
        for value in rest:
            total = _wrapped(step(total, _integer(value)))
        return total

    return fold


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise TemplateError("runtime error: integer divide by zero")
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


def _remainder(left: int, right: int) -> int:
    return left - right * _quotient(left, right)


def _decimal(step: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., float]:
    """Return arithmetic on the decimal digits of floats, in which 0.1 + 0.2 is 0.3."""

    def fold(first: Any, *rest: Any) -> float:
        try:
            total = Decimal(repr(to_float(first)))
            for value in rest:
                total = step(total, Decimal(repr(to_float(value))))
        except (InvalidOperation, ArithmeticError) as error:
            raise TemplateError("decimal division by 0 or of what is no number") from error
        return float(total)

    return fold


def _divide(left: Decimal, right: Decimal) -> Decimal:
    """Divide to 16 places after the point, as Go's decimal library does."""
    return _DIGITS.divide(left, right).quantize(Decimal(1).scaleb(-16), context=Context(prec=400))


def _round(value: Any, places: int, threshold: float = 0.5) -> float:
    power = math.pow(10, places) if abs(places) < 300 else math.nan
    digits = power * to_float(value)
    if not math.isfinite(digits):
        return math.nan
    up = math.modf(digits)[0] >= threshold
    return (math.ceil(digits) if up else math.floor(digits)) / power


def _whole(function: Callable[[float], int]) -> Callable[[Any], float]:
    def call(value: Any) -> float:
        number = to_float(value)
        return float(function(number)) if math.isfinite(number) else number

    return call


FUNCTIONS: Final[dict[str, tuple[Callable[..., Any], str]]] = {
    "add": (lambda *values: _folded(int.__add__)(0, *values), "a*"),
    "sub": (_folded(int.__sub__), "aa"),
    "mul": (_folded(int.__mul__), "aa*"),
    "div": (_folded(_quotient), "aa"),
    "mod": (_folded(_remainder), "aa"),
    "max": (_folded(max), "aa*"),
    "min": (_folded(min), "aa*"),
    "addf": (lambda *values: _decimal(_DIGITS.add)(0.0, *values), "a*"),
    "subf": (_decimal(_DIGITS.subtract), "aa*"),
    "mulf": (_decimal(_DIGITS.multiply), "aa*"),
    "divf": (_decimal(_divide), "aa*"),
    "maxf": (lambda first, *rest: max(map(to_float, (first, *rest))), "aa*"),
    "minf": (lambda first, *rest: min(map(to_float, (first, *rest))), "aa*"),
    "ceil": (_whole(math.ceil), "a"),
    "floor": (_whole(math.floor), "a"),
    "round": (_round, "aif*"),
}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((int, "int"), (float, "float"), (str, "string")):
        if isinstance(value, kind):
            return name
    raise TemplateError(f"invalid type for comparison: {type_name(value)}")


def _equal(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    if _kind(left) != _kind(right):
        raise TemplateError("incompatible types for comparison")
    return bool(left == right)


def _less(left: Any, right: Any) -> bool:
    if _kind(left) != _kind(right):
        raise TemplateError("incompatible types for comparison")
    if isinstance(left, bool):
        raise TemplateError("invalid type for comparison")
    return bool(left < right)


COMPARISONS: Final[dict[str, tuple[Callable[..., bool], str]]] = {
    "eq": (lambda left, *rights: any(_equal(left, right) for right in rights), "aaa*"),
    "ne": (lambda left, right: not _equal(left, right), "aa"),
    "lt": (_less, "aa"),
    "le": (lambda left, right: _less(left, right) or _equal(left, right), "aa"),
    "gt": (lambda left, right: not (_less(left, right) or _equal(left, right)), "aa"),
    "ge": (lambda left, right: not _less(left, right), "aa"),
}
