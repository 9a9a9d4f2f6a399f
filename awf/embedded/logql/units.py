"""Durations, byte sizes and numbers as LogQL reads them, in queries and in label values."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
    "y": 31_536_000_000_000_000,
}
_RANGE = re.compile(r"(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?")
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|[smhdwy])")
_VALUE = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|[smh]))+")
_BYTES = re.compile(r"(\d[\d,]*\.?\d*|\.\d+) *([a-z]*)", re.IGNORECASE)
_FLOAT = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
_MAX_NS = 2**62 - 1  # a time, a range and an offset together stay within 64 bits
_MAX_BYTES = 2**64 - 1


def range_ns(text: str) -> int:
    """Read a Prometheus duration such as `1h30m` (whole numbers, largest unit first). Raises ValueError."""
    if text == "0":
        return 0
    if not text or _RANGE.fullmatch(text) is None:
        raise ValueError(f"not a valid duration string: {text!r}")
    return _bounded(_total_ns(text), text)


def duration_ns(text: str) -> int:
    """Read a duration of a label value as Go does: `1.5h`, `-3ms`, `0`. Raises ValueError."""
    if text in {"0", "+0", "-0"}:
        return 0
    if _VALUE.fullmatch(text) is None:
        raise ValueError(f"time: invalid duration {text!r}")
    total = _bounded(_total_ns(text.lstrip("+-")), text)
    return -total if text.startswith("-") else total


def literal_ns(text: str) -> int:
    """Read a duration literal of a query: either form, days to years included. Raises ValueError."""
    unsigned = text.removeprefix("-")
    total = _bounded(_total_ns(unsigned), text)
    return -total if unsigned != text else total


def size_bytes(text: str) -> int:
    """Read `2KB`, `1.5 MiB` or `1,024`; a fraction of a byte is cut off. Raises ValueError."""
    found = _BYTES.fullmatch(text)
    if found is None:
        raise ValueError(f"not a byte size: {text!r}")
    number, unit = Decimal(found[1].replace(",", "")), found[2].lower()
    binary = unit.endswith(("i", "ib"))
    power = _POWERS.get(unit.removesuffix("b").removesuffix("i"))
    if power is None or (binary and power == 0):
        raise ValueError(f"unhandled size name: {found[2]}")
    size = int(number * (1024 if binary else 1000) ** power)
    if size > _MAX_BYTES:
        raise ValueError(f"byte size {text:.40} is out of range")
    return size


def number(text: str) -> float:
    """Read a float as Go does: no spaces, no underscores. Raises ValueError."""
    if _FLOAT.fullmatch(text) is None:
        raise ValueError(f"invalid number {text!r}")
    value = float(text)
    if math.isinf(value) and "i" not in text.lower():
        raise ValueError(f"number {text:.40} is out of range")
    return value


def _total_ns(text: str) -> int:
    return sum(int(Decimal(amount) * _NS[unit]) for amount, unit in _PART.findall(text))


def _bounded(total: int, text: str) -> int:
    if total > _MAX_NS:
        raise ValueError(f"duration {text!r} is out of range")
    return total
