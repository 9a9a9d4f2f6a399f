"""The functions of Loki's templates over text, times and values, each with the Go types it takes."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, unquote_plus

from awf.embedded.logql import units
from awf.embedded.logql.regex import expand, line_pattern
from awf.embedded.logql.template import numbers, times
from awf.embedded.logql.template.printf import sprintf
from awf.embedded.logql.template.values import (
    TemplateError,
    Time,
    bounded,
    is_true,
    show,
    type_name,
)
from awf.errors import QueryError


@dataclass(frozen=True, slots=True)
class Spec:
    """`takes` has one letter a parameter: s text, i int, f float64, t time, a anything; a `*` after the last
    letter allows it any number of times, none included."""

    call: Callable[..., Any]
    takes: str


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise TemplateError("strings: negative Repeat count")
    bounded(count * len(text))
    return text * count


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    found = text.count(old) if count < 0 else min(count, text.count(old))
    bounded(len(text) + found * len(new))
    return text.replace(old, new, count)


def _trunc(count: int, text: str) -> str:
    """Cut bytes, as the original does, from the end when the count is negative."""
    raw = text.encode(errors="replace")
    if count >= 0:
        return raw[:count].decode(errors="replace")
    return (raw[count:] if len(raw) + count > 0 else raw).decode(errors="replace")


def _substr(start: int, end: int, text: str) -> str:
    raw = text.encode(errors="replace")
    if start < 0:
        start = 0
    elif end < 0 or end > len(raw):
        end = len(raw)
    if not 0 <= start <= end <= len(raw):
        raise TemplateError(f"slice bounds out of range [{start}:{end}] with length {len(raw)}")
    return raw[start:end].decode(errors="replace")


def _indent(spaces: int, text: str) -> str:
    if spaces < 0:
        raise TemplateError("strings: negative Repeat count")
    bounded((spaces + 1) * (text.count("\n") + 1))
    pad = " " * spaces
    return pad + text.replace("\n", "\n" + pad)


def _title(text: str) -> str:
    return re.sub(r"(?<![\w])\w", lambda found: found[0].title(), text)


def _align(text: str, count: int, *, right: bool) -> str:
    if count < 0 or count == len(text):
        return text
    bounded(count)
    if count < len(text):
        return text[len(text) - count :] if right else text[:count]
    return text.rjust(count) if right else text.ljust(count)


def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern in which `.` stops at a newline."""
    try:
        return line_pattern(text)
    except QueryError as error:
        raise TemplateError(error.message) from error


def _regex_replace(pattern: str, text: str, replacement: str, *, literal: bool = False) -> str:
    pieces = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal pieces
        piece = replacement if literal else expand(replacement, found)
        pieces += len(piece)
        bounded(pieces)
        return piece

    return _pattern(pattern).sub(replaced, text)


def _from_base64(text: str) -> str:
    padded = text + "=" * (-len(text) % 4 if len(text) % 4 != 1 else 0)
    try:
        return base64.b64decode(padded, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return f"illegal base64 data at input byte {_bad_base64(padded)}"


def _bad_base64(text: str) -> int:
    found = re.search(r"[^A-Za-z0-9+/]", text)
    return found.start() if found else len(text) - len(text) % 4


def _url_decode(text: str) -> str:
    bad = re.search(r"%(?![0-9a-fA-F]{2}).{0,2}", text)
    if bad:
        raise TemplateError(f'invalid URL escape "{bad[0]}"')
    return unquote_plus(text)


def _from_json(text: str) -> Any:
    """Read JSON with Go's types; text that is none is nil."""
    try:
        return json.loads(text, parse_int=float, parse_constant=lambda name: json.loads("!" + name))
    except (ValueError, RecursionError):
        return None


def _default(fallback: Any, *given: Any) -> Any:
    if not given or (not is_true(given[0])):
        return fallback
    return given[0]


def _date(layout: str, value: Any) -> str:
    if isinstance(value, Time):
        return times.write(layout, times.at(value.ns, times.zone("Local")))
    if isinstance(value, int) and not isinstance(value, bool):
        return times.write(layout, Time(value * 1_000_000_000))
    return times.write(layout, _now())


def _now() -> Time:
    return Time(time.time_ns())


_EPOCH_UNITS: Final = {5: 86_400 * 10**9, 10: 10**9, 13: 10**6, 16: 10**3, 19: 1}


def _unix_to_time(text: str) -> Time:
    unit = _EPOCH_UNITS.get(len(text))
    if unit is None or re.fullmatch(r"[+-]?\d+", text) is None:
        raise TemplateError(f"unable to parse time '{text:.60}'")
    return Time(int(text) * unit)


def _units(read: Callable[[str], float], divisor: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            return read(text) / divisor
        except ValueError as error:
            raise TemplateError(str(error)) from error

    return convert


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    if isinstance(value, Mapping | list):
        return len(value)
    raise TemplateError(f"len of type {type_name(value)}")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key, "" if type(value) is not dict else None)
        elif isinstance(value, list | str) and isinstance(key, int):
            items: Any = value.encode(errors="replace") if isinstance(value, str) else value
            if not 0 <= key < len(items):
                raise TemplateError(f"error calling index: index out of range: {key}")
            value = items[key]
        else:
            raise TemplateError(f"error calling index: can't index item of type {type_name(value)}")
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, str | list) or len(bounds) > 2:
        raise TemplateError(f"error calling slice: can't slice item of type {type_name(value)}")
    items: Any = value.encode(errors="replace") if isinstance(value, str) else value
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(items)
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(items)):
        raise TemplateError("error calling slice: index out of range")
    found = items[start:end]
    return found.decode(errors="replace") if isinstance(found, bytes) else found


def _print(*values: Any) -> str:
    """Go puts a space between two values when neither is text."""
    text = ""
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            text += " "
        text += show(value, nested=True)
        bounded(len(text))
    return text


def _println(*values: Any) -> str:
    spaced = [part for value in values for part in (show(value, nested=True), " ")][:-1]
    return _print(*spaced, "\n")


def _html(*values: Any) -> str:
    return html.escape(_print(*values)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


_SPACE: Final = " \t\n\v\f\r\x85\xa0"
FUNCTIONS: Final[dict[str, Spec]] = {
    "ToLower": Spec(str.lower, "s"), "ToUpper": Spec(str.upper, "s"),
    "Replace": Spec(_replace, "sssi"),
    "Trim": Spec(lambda text, cut: text.strip(cut or None) if cut else text, "ss"),
    "TrimLeft": Spec(lambda text, cut: text.lstrip(cut) if cut else text, "ss"),
    "TrimRight": Spec(lambda text, cut: text.rstrip(cut) if cut else text, "ss"),
    "TrimPrefix": Spec(str.removeprefix, "ss"), "TrimSuffix": Spec(str.removesuffix, "ss"),
    "TrimSpace": Spec(lambda text: text.strip(_SPACE), "s"),
    "regexReplaceAll": Spec(_regex_replace, "sss"),
    "regexReplaceAllLiteral": Spec(lambda *texts: _regex_replace(*texts, literal=True), "sss"),
    "count": Spec(lambda pattern, text: sum(1 for _ in _pattern(pattern).finditer(text)), "ss"),
    "urldecode": Spec(_url_decode, "s"), "urlencode": Spec(lambda text: quote_plus(text, safe="~"), "s"),
    "bytes": Spec(_units(units.size_bytes, 1.0), "s"),
    "duration": Spec(_units(units.duration_ns, 1e9), "s"),
    "duration_seconds": Spec(_units(units.duration_ns, 1e9), "s"),
    "unixEpoch": Spec(lambda at: str(at.ns // 10**9), "t"),
    "unixEpochMillis": Spec(lambda at: str(at.ns // 10**6), "t"),
    "unixEpochNanos": Spec(lambda at: str(at.ns), "t"),
    "unixToTime": Spec(_unix_to_time, "s"),
    "toDate": Spec(lambda layout, text: times.read(layout, text, times.zone("Local")), "ss"),
    "toDateInZone": Spec(lambda layout, name, text: times.read(layout, text, times.zone(name)), "sss"),
    "date": Spec(_date, "sa"), "now": Spec(_now, ""),
    "alignLeft": Spec(lambda count, text: _align(text, count, right=False), "is"),
    "alignRight": Spec(lambda count, text: _align(text, count, right=True), "is"),
    "b64enc": Spec(lambda text: base64.b64encode(text.encode(errors="replace")).decode(), "s"),
    "b64dec": Spec(_from_base64, "s"),
    "lower": Spec(str.lower, "s"), "upper": Spec(str.upper, "s"), "title": Spec(_title, "s"),
    "trunc": Spec(_trunc, "is"), "substr": Spec(_substr, "iis"),
    "contains": Spec(lambda part, text: part in text, "ss"),
    "hasPrefix": Spec(lambda part, text: text.startswith(part), "ss"),
    "hasSuffix": Spec(lambda part, text: text.endswith(part), "ss"),
    "indent": Spec(_indent, "is"), "nindent": Spec(lambda spaces, text: "\n" + _indent(spaces, text), "is"),
    "replace": Spec(lambda old, new, text: _replace(text, old, new), "sss"), "repeat": Spec(_repeat, "is"),
    "trim": Spec(lambda text: text.strip(_SPACE), "s"),
    "trimAll": Spec(lambda cut, text: text.strip(cut) if cut else text, "ss"),
    "trimSuffix": Spec(lambda part, text: text.removesuffix(part), "ss"),
    "trimPrefix": Spec(lambda part, text: text.removeprefix(part), "ss"),
    "fromJson": Spec(_from_json, "s"), "default": Spec(_default, "aa*"),
    "len": Spec(_length, "a"), "index": Spec(_index, "aa*"), "slice": Spec(_slice, "aa*"),
    "print": Spec(_print, "a*"), "printf": Spec(lambda text, *values: sprintf(text, values), "sa*"),
    "println": Spec(_println, "a*"),
    "html": Spec(_html, "a*"),
    "urlquery": Spec(lambda *values: quote_plus(_print(*values), safe="~"), "a*"),
    "not": Spec(lambda value: not is_true(value), "a"),
    "int": Spec(numbers.to_int, "a"), "float64": Spec(numbers.to_float, "a"),
    **{name: Spec(call, takes) for name, (call, takes) in numbers.FUNCTIONS.items()},
    **{name: Spec(call, takes) for name, (call, takes) in numbers.COMPARISONS.items()},
}  # fmt: skip
LAZY: Final = frozenset({"and", "or"})
"""Evaluated only as far as the answer needs."""
