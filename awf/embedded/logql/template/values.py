"""The values of a template, typed as Go would have them, and how Go prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

NO_VALUE: Final = "<no value>"
MAX_TEXT: Final = 256 * 1024
ZERO_TIME_NS: Final = -62_135_596_800 * 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TemplateError(ValueError):
    """Rendering failed for one entry: it keeps its line and gets `__error__`."""


def bounded(size: int) -> None:
    """Refuse a text of that many characters before it is made."""
    if size > MAX_TEXT:
        raise TemplateError(f"the text would be longer than {MAX_TEXT} bytes")


class Int64(int):
    """Go's int64: it prints as an int, and is refused where a function wants an int."""

    __slots__ = ()


class LabelMap(dict[str, str]):
    """The labels of an entry: a name that is not there is empty, as with Go's `missingkey=zero`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Time:
    """A moment and the zone that it is shown in."""

    ns: int
    offset_s: int = 0
    zone: str = "UTC"

    @property
    def fields(self) -> datetime:
        """Return year to second as they are in its zone. Raises TemplateError outside of years 1 to 9999."""
        try:
            return _EPOCH + timedelta(seconds=self.ns // 1_000_000_000 + self.offset_s)
        except OverflowError:
            raise TemplateError("the time is out of range") from None

    @property
    def fraction_ns(self) -> int:
        return self.ns % 1_000_000_000


def type_name(value: Any) -> str:
    """Return Go's name of a value's type, for error messages."""
    if value is None:
        return "nil"
    if isinstance(value, LabelMap):
        return "map[string]string"
    names = {bool: "bool", Int64: "int64", int: "int", float: "float64", str: "string", Time: "time.Time",
             dict: "map[string]interface {}", list: "[]interface {}"}  # fmt: skip
    return names.get(type(value), type(value).__name__)


def is_true(value: Any) -> bool:
    return isinstance(value, Time) or bool(value)


def show(value: Any, *, nested: bool = False) -> str:
    """Write a value as `fmt.Print` does."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>" if nested else NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return show_float(value)
    if isinstance(value, list):
        return f"[{' '.join(show(item, nested=True) for item in value)}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{show(value[key], nested=True)}' for key in sorted(value))}]"
    if isinstance(value, Time):
        return show_time(value)
    return str(int(value))


def show_float(value: float) -> str:
    """Write the shortest digits that read back the same; from a million up with an exponent."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted() if value else 0
    if -4 <= exponent < 6:
        return f"{Decimal(repr(value)).normalize():f}" if value else "-0" if sign else "0"
    text = "".join(map(str, digits))
    mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    return f"{'-' if sign else ''}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def show_time(value: Time) -> str:
    fraction = f".{value.fraction_ns:09d}".rstrip("0").rstrip(".")
    return f"{value.fields:%Y-%m-%d %H:%M:%S}".zfill(19) + f"{fraction} {offset(value.offset_s)} {value.zone}"


def offset(seconds: int, separator: str = "") -> str:
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}{separator}{minutes % 60:02d}"
