"""Values of TraceQL: their types, comparison and arithmetic, and how they are written in results.

Types never mix: a string compared with a number is false, and so is anything compared with nothing. Of
arrays, and of the events of a span, one element is enough for every operator, `!=` included.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from enum import Enum, StrEnum
from typing import Any, Final

from awf.embedded.regex import compile_re2


class Status(Enum):
    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


class Kind(Enum):
    UNSPECIFIED = "unspecified"
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Duration(int):
    """Nanoseconds."""

    __slots__ = ()

    def __str__(self) -> str:
        return format_duration(self)


class AnyOf(tuple["Value", ...]):
    """The values that a span's events or links have: a comparison holds when it holds for any of them."""

    __slots__ = ()


Value = str | bool | int | float | Status | Kind | tuple["Value", ...] | None
Comparison = Callable[[Value, Value], bool]


class Type(StrEnum):
    NIL = "nothing"
    STRING = "a string"
    NUMBER = "a number"
    BOOLEAN = "a boolean"
    STATUS = "a status"
    KIND = "a kind"
    ARRAY = "an array"


STATUSES: Final = tuple(Status)
"""By OTLP's number."""
KINDS: Final = tuple(Kind)
"""By OTLP's number."""

_TYPES: Final[dict[type, Type]] = {
    str: Type.STRING,
    bool: Type.BOOLEAN,
    int: Type.NUMBER,
    float: Type.NUMBER,
    Duration: Type.NUMBER,
    Status: Type.STATUS,
    Kind: Type.KIND,
    tuple: Type.ARRAY,
    AnyOf: Type.ARRAY,
    type(None): Type.NIL,
}
_EQUALITY: Final = frozenset({"=", "!="})
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_REGEX: Final = frozenset({"=~", "!~"})
OPERATORS: Final[Mapping[Type, frozenset[str]]] = {
    Type.STRING: _EQUALITY | _ORDER | _REGEX,
    Type.NUMBER: _EQUALITY | _ORDER,
    Type.BOOLEAN: _EQUALITY,
    Type.STATUS: _EQUALITY,
    Type.KIND: _EQUALITY,
    Type.NIL: frozenset(),
    Type.ARRAY: frozenset(),
}
"""The comparisons that each type knows."""

_PLAIN: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def type_of(value: Value) -> Type:
    return _TYPES[type(value)]


def from_attribute(raw: object) -> Value:
    """Return an attribute's value; maps and bytes have no value in TraceQL."""
    if isinstance(raw, (list, tuple)):
        return tuple(from_attribute(item) for item in raw)
    return raw if isinstance(raw, (str, bool, int, float)) else None


def comparison(symbol: str, pattern: str = "") -> Comparison:
    """Return the test that `symbol` stands for; `pattern` is the right side of `=~` and `!~`."""
    if symbol in _REGEX:
        regex = compile_re2(pattern)
        wanted = symbol == "=~"

        def matches(left: object, _: object) -> bool:
            return (regex.fullmatch(str(left)) is not None) is wanted

        return _typed(symbol, matches)
    return _typed(symbol, _PLAIN[symbol])


def _typed(symbol: str, test: Callable[[Any, Any], bool]) -> Comparison:
    def compare(left: Value, right: Value) -> bool:
        kind = _TYPES[type(left)]
        if kind is _TYPES[type(right)] and symbol in OPERATORS[kind]:
            return test(left, right)
        if isinstance(left, AnyOf) or (isinstance(left, tuple) and not isinstance(right, tuple)):
            return any(compare(item, right) for item in left)
        if isinstance(right, AnyOf) or (isinstance(right, tuple) and not isinstance(left, tuple)):
            return any(compare(left, item) for item in right)
        return False

    return compare


_INT_LIMIT: Final = 2**63


def arithmetic(symbol: str, left: Value, right: Value) -> Value:
    """Return left `symbol` right; None when either is no number, for a division by zero, and beyond 64 bits.

    Whole numbers divide to whole numbers, towards zero, as in Go.
    """
    if type_of(left) is not Type.NUMBER or type_of(right) is not Type.NUMBER:
        return None
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return None
    if symbol in {"/", "%"} and (right == 0 or not math.isfinite(left)):
        return None
    result = _CALCULATIONS[symbol](left, right)
    return None if isinstance(result, int) and abs(result) >= _INT_LIMIT else result


def _divide(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return left / right


def _remainder(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        return left - _divide(left, right) * right
    return math.fmod(left, right)


def _power(left: float, right: float) -> float | None:
    """Two whole numbers change places: in Tempo `3 ^ 2` is 8."""
    base, exponent = (right, left) if isinstance(left, int) and isinstance(right, int) else (left, right)
    try:
        result = math.pow(base, exponent)
    except (OverflowError, ValueError):
        return None
    return int(result) if isinstance(left, int) and isinstance(right, int) else result


_CALCULATIONS: Final[Mapping[str, Callable[[Any, Any], float | None]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _remainder,
    "^": _power,
}


def of_type(value: Value, wanted: type) -> Value:
    """Return a value of exactly this type, the elements of this type, or None."""
    if isinstance(value, tuple):
        return type(value)(item for item in value if type(item) is wanted) or None
    return value if type(value) is wanted else None


def negate(value: Value) -> Value:
    return -value if type_of(value) is Type.NUMBER and isinstance(value, (int, float)) else None


def flip(symbol: str) -> str:
    """Return the comparison with its sides exchanged."""
    return _FLIPPED.get(symbol, symbol)


def text_of(value: Value) -> str:
    """Return a value as Tempo writes it in labels."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Status, Kind)):
        return str(value.value)
    return str(value)


def type_name(value: Value) -> str:
    """Return the name of a value's type as Tempo's tag values give it."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Duration):
        return "duration"
    if isinstance(value, (Status, Kind)):
        return "keyword"
    return {int: "int", float: "float"}.get(type(value), "string")


_UNITS: Final = ((3_600_000_000_000, "h"), (60_000_000_000, "m"))


def format_duration(nanoseconds: int) -> str:
    """Return a duration as Go writes it: 1h2m3.5s, 300ms, 15µs."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", int(nanoseconds))
    for size, unit in ((1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms")):
        if rest < size:
            return f"{sign}{_decimal(rest, size // 1_000)}{unit}"
    text = ""
    for size, unit in _UNITS:
        if text or rest >= size:
            text += f"{rest // size}{unit}"
            rest %= size
    return f"{sign}{text}{_decimal(rest, 1_000_000_000)}s"


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    digits = str(fraction).rjust(len(str(unit)) - 1, "0").rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
