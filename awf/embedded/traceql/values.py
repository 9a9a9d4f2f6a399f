"""Values of TraceQL: their types, comparison and arithmetic, and how they are written in results.

Types never mix: a string compared with a number is false, and so is anything compared with nothing.
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
    """Compare values of one type. Of an array one element is enough, but != and !~ must hold for all."""
    enough = all if symbol in {"!=", "!~"} else any

    def compare(left: Value, right: Value) -> bool:
        kind = _TYPES[type(left)]
        if kind is _TYPES[type(right)] and symbol in OPERATORS[kind]:
            return test(left, right)
        if isinstance(left, tuple) and not isinstance(right, tuple):
            return right is not None and _fits(left, right) and enough(compare(item, right) for item in left)
        if isinstance(right, tuple) and not isinstance(left, tuple):
            return left is not None and _fits(right, left) and enough(compare(left, item) for item in right)
        return False

    return compare


def _fits(array: tuple[Value, ...], value: Value) -> bool:
    return bool(array) and _TYPES[type(array[0])] is _TYPES[type(value)]


_INT_LIMIT: Final = 2**63


def arithmetic(symbol: str, left: Value, right: Value) -> Value:
    """Return left `symbol` right; false when either is no number, None when there is no result.

    Two whole numbers give a whole number, dividing towards zero as Go does; a duration counts as a fraction.
    """
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    if type(left) is not int or type(right) is not int:
        return _of_fractions(symbol, float(left), float(right))
    if symbol in {"/", "%"} and right == 0:
        return None
    result = _CALCULATIONS[symbol](left, right)
    return None if result is None or abs(result) >= _INT_LIMIT else result


def _of_fractions(symbol: str, left: float, right: float) -> float | None:
    if right == 0 and symbol in {"/", "%"}:
        return math.nan if symbol == "%" or left == 0 or math.isnan(left) else math.copysign(math.inf, left)
    return math.nan if symbol == "%" and math.isinf(left) else _CALCULATIONS[symbol](left, right)


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


def negate(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return Duration(-value) if isinstance(value, Duration) else -value


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
