"""The notation for series in test scripts: `name{label="value"} 1+2x5 _x3 stale {{...}}`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from awf.embedded.model import STALE_NAN_BITS

STALE = float(np.array([STALE_NAN_BITS], dtype=np.uint64).view(np.float64)[0])
MAX_VALUES = 1_000_000

_NUMBER = r"(?:[Nn]a[Nn]|[Ii]nf|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_ITEM = re.compile(rf"(?P<first>[+-]?{_NUMBER}|_|stale)(?P<step>[+-]{_NUMBER})?(?:x(?P<times>\d+))?")
_NATIVE = re.compile(r"\{\{.*?\}\}(?:\s*[+-]\s*\{\{.*?\}\})?(?:x(?P<times>\d+))?")
_NAME = re.compile(r"[A-Za-z_:][\w:]*", re.ASCII)
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`')
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class NotationError(ValueError):
    """The text is not in the notation."""


@dataclass(frozen=True, slots=True)
class Native:
    """A native histogram, of which only its presence is understood."""

    text: str


Value = float | Native | None
"""One position of a series: a number, a native histogram, or nothing."""


@dataclass(frozen=True, slots=True)
class Series:
    labels: Mapping[str, str]
    values: tuple[Value, ...]

    @property
    def is_native(self) -> bool:
        return any(isinstance(value, Native) for value in self.values)


def read_series(text: str) -> Series:
    """Read a metric and its values. Raises NotationError."""
    labels, rest = read_labels(text)
    return Series(labels, tuple(read_values(rest)))


def read_labels(text: str) -> tuple[dict[str, str], str]:
    """Read `name{...}` and return the labels and the text after them. Raises NotationError."""
    labels: dict[str, str] = {}
    at = 0
    if found := _NAME.match(text):
        labels["__name__"] = found[0]
        at = found.end()
    if text[at : at + 1] == "{":
        at = _read_braces(text, at + 1, labels)
    elif not at:
        raise NotationError(f"a series begins with a name or with braces: {text!r}")
    return {name: value for name, value in labels.items() if value}, text[at:]


def _read_braces(text: str, at: int, labels: dict[str, str]) -> int:
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        if text[at : at + 1] == "}":
            return at + 1
        name = _QUOTED.match(text, at) or _NAME.match(text, at)
        if not name:
            raise NotationError(f"a label is missing at {text[at:]!r}")
        label = unquote(name[0]) if name[0][0] in "\"'`" else name[0]
        at = name.end()
        equals = re.compile(r"\s*=\s*").match(text, at)
        if equals and (quoted := _QUOTED.match(text, equals.end())):
            labels[label] = unquote(quoted[0])
            at = quoted.end()
        elif equals or name[0] == label:
            raise NotationError(f"the label {label} has no value in quotes")
        else:
            labels["__name__"] = label
        ending = re.compile(r"\s*(,|(?=\}))").match(text, at)
        if not ending:
            raise NotationError(f"labels are not closed at {text[at:]!r}")
        at = ending.end()


def unquote(text: str) -> str:
    """Return the text of a string in quotes, with Go's escapes."""
    if text[0] == "`":
        return text[1:-1]

    def plain(found: re.Match[str]) -> str:
        for group, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
            if found[group]:
                return chr(int(found[group], base))
        return _SIMPLE.get(found[5], found[5])

    return _ESCAPE.sub(plain, text[1:-1])


def read_values(text: str) -> Iterator[Value]:
    """Yield the values of a sequence. Raises NotationError."""
    rest = text.strip()
    produced = 0
    while rest:
        found = (_NATIVE if rest.startswith("{{") else _ITEM).match(rest)
        if not found or not re.match(r"\s|$", rest[found.end() :]):
            raise NotationError(f"{rest.split()[0]!r} is no value")
        for value in _repeated(found):
            produced += 1
            if produced > MAX_VALUES:
                raise NotationError(f"a series has more than {MAX_VALUES} values")
            yield value
        rest = rest[found.end() :].lstrip()


def _repeated(found: re.Match[str]) -> Iterator[Value]:
    parts = found.groupdict()
    times = int(parts["times"] or 0)
    first = parts.get("first")
    if first is None:
        yield from (Native(found[0]) for _ in range(times + 1))
    elif first == "_":
        yield from (None for _ in range(times if parts["times"] else 1))
    elif first == "stale":
        yield from (STALE for _ in range(times + 1))
    else:
        value = float(first)
        for _ in range(times + 1):
            yield value
            value += float(parts["step"] or 0)


def read_number(text: str) -> float | None:
    """Return the number that the text is as a whole, or None."""
    try:
        return float(int(text, 0))
    except ValueError:
        pass
    found = re.fullmatch(rf"[+-]?{_NUMBER}", text)
    return float(text) if found else None


def write_value(value: float) -> str:
    """Write a number so that messages can tell a stale marker from NaN."""
    if math.isnan(value):
        return "stale" if np.float64(value).view(np.int64) == STALE_NAN_BITS else "NaN"
    return repr(value).removesuffix(".0")
