"""The parsers of JSON lines: json, json with paths, and unpack, each a function of one entry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from awf.embedded.logql.entry import Entry
from awf.embedded.logql.extract import ILLEGAL, Step, assign, label_name, readable

JSON_ERROR = "JSONParserErr"
TOO_DEEP = "nested too deeply"
_SPACE = re.compile(r"[ \t\n\r]*")
_PATH_PART = re.compile(r"\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\[\"([^\"]*)\"\]")


class _Object(list[tuple[str, Any]]):
    """A JSON object with its members in order, duplicates kept."""


def _no_constant(name: str) -> str:
    raise ValueError(f"unknown value {name}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Object, parse_float=str, parse_int=str, parse_constant=_no_constant, strict=False
)
"""Numbers stay as they are written."""


def _no_text(_: str) -> None:
    return None


_TEXTS_DECODER = json.JSONDecoder(
    object_pairs_hook=_Object,
    parse_float=_no_text,
    parse_int=_no_text,
    parse_constant=_no_constant,
    strict=False,
)
"""Strings only: numbers are as nothing."""


def _text(value: Any) -> str | None:
    """Return a scalar as a label value; None for what is not one."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return None


def _members(line: str, decoder: json.JSONDecoder = _DECODER) -> Iterable[tuple[str, Any]]:
    """Return the members of the object in a line. Raises ValueError, possibly after some of them."""
    try:
        whole, end = decoder.raw_decode(line, 0 if line.startswith("{") else _after_space(line, 0))
    except (ValueError, RecursionError):
        return _members_until_broken(line, decoder)
    if end != len(line) and _after_space(line, end) != len(line):
        return _members_until_broken(line, decoder)
    if not isinstance(whole, _Object):
        raise ValueError("expecting json object, but it is not")  # noqa: TRY004  (callers tell it as one)
    return whole


def _members_until_broken(line: str, decoder: json.JSONDecoder) -> Iterator[tuple[str, Any]]:
    position = _skip(line, 0, "{")
    while not line.startswith("}", position):
        position = _skip(line, position, '"')
        key, position = scanstring(line, position, False)
        position = _skip(line, position, ":")
        try:
            value, position = decoder.raw_decode(line, _after_space(line, position))
        except RecursionError as error:
            raise ValueError(TOO_DEEP) from error
        yield key, value
        position = _after_space(line, position)
        if not line.startswith("}", position):
            position = _after_space(line, _skip(line, position, ","))


def _after_space(line: str, position: int) -> int:
    found = _SPACE.match(line, position)
    return found.end() if found else position


def _skip(line: str, position: int, expected: str) -> int:
    position = _after_space(line, position)
    if not line.startswith(expected, position):
        found = repr(line[position]) if position < len(line) else "the end of the line"
        raise ValueError(f"expected {expected!r} but found {found} at column {position + 1}")
    return position + 1


def json_parser(entry: Entry) -> bool:
    """Every scalar of the object becomes a label, nested keys joined by `_`; arrays and null do not."""
    if entry.is_satisfied():
        return True
    required = entry.hints.required
    try:
        for key, value in _members(entry.line):
            name = label_name(key)
            if isinstance(value, _Object) or required is None or name in required:
                _flatten(entry, name, value)
                if entry.is_satisfied():
                    return True
    except ValueError as error:
        entry.fail(JSON_ERROR, str(error))
    except RecursionError:
        entry.fail(JSON_ERROR, TOO_DEEP)
    return True


def _flatten(entry: Entry, name: str, value: Any) -> None:
    if isinstance(value, _Object):
        for key, item in value:
            part = label_name(key) if not name else ILLEGAL.sub("_", key.strip())
            _flatten(entry, f"{name}_{part}" if name and part else name or part, item)
        return
    text = _text(value)
    if text is not None and name:
        entry.extract(name, text)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """`a.b[0]["c"]`: member names and indexes."""

    parts: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Raises ValueError."""
        parts: list[str | int] = []
        position = 0
        while position < len(text):
            found = _PATH_PART.match(text, position)
            if found is None or (not parts and text.startswith(".")):
                raise ValueError(f"unexpected {text[position]!r} at column {position + 1}")
            name, index, quoted = found.groups()
            parts.append(int(index) if index is not None else name if name is not None else quoted)
            position = found.end()
        if not parts:
            raise ValueError("an empty path")
        return cls(tuple(parts))

    def find(self, line: str) -> str | None:
        """Return what is there as text (nested values as they are written, null as nothing), None when it is
        not to be found. Raises ValueError when it is there and broken; what else is broken does not matter."""
        try:
            start = self._position(line)
        except (ValueError, RecursionError):
            return None
        if start is None:
            return None
        try:
            value, end = _DECODER.raw_decode(line, start)
        except RecursionError as error:
            raise ValueError(TOO_DEEP) from error
        text = "" if value is None else _text(value)
        return line[start:end] if text is None else text

    def _position(self, line: str) -> int | None:
        """Return where the value begins. Raises ValueError where the way to it is broken."""
        position: int | None = _after_space(line, 0)
        for part in self.parts:
            if position is None:
                return None
            position = (
                _element(line, position, part) if isinstance(part, int) else _member(line, position, part)
            )
        return position


def _member(line: str, position: int, name: str) -> int | None:
    if not line.startswith("{", position):
        return None
    position = _after_space(line, position + 1)
    while not line.startswith("}", position):
        key, position = scanstring(line, _skip(line, position, '"'), False)
        position = _after_space(line, _skip(line, position, ":"))
        if key == name:
            return position
        position = _after_space(line, _DECODER.raw_decode(line, position)[1])
        if not line.startswith("}", position):
            position = _after_space(line, _skip(line, position, ","))
    return None


def _element(line: str, position: int, index: int) -> int | None:
    if not line.startswith("[", position):
        return None
    position = _after_space(line, position + 1)
    while index and not line.startswith("]", position):
        position = _after_space(line, _DECODER.raw_decode(line, position)[1])
        if not line.startswith("]", position):
            position = _after_space(line, _skip(line, position, ","))
        index -= 1
    return None if line.startswith("]", position) else position


def json_extractor(extractions: tuple[tuple[str, str], ...]) -> Step:
    """Return a parser for `json name="path", ...`: every name gets a label, if only an empty one, unless
    the line does not even begin as JSON."""
    paths = [(name, JsonPath.parse(path)) for name, path in extractions]

    def step(entry: Entry) -> bool:
        if not entry.line or entry.is_satisfied():
            return True
        if entry.line[0] not in '"{[':
            entry.fail(JSON_ERROR, "")
            return True
        found: list[tuple[str, str | None]] = []
        for name, path in paths:
            try:
                found.append((name, path.find(entry.line)))
            except ValueError as error:
                entry.fail(JSON_ERROR, str(error))
                found.append((name, None))
        assign(entry, found)
        return True

    return step


def unpack_parser(entry: Entry) -> bool:
    """`_entry` becomes the line, and other members with string values labels; without `_entry` nothing does."""
    if not entry.line or entry.hints.required == frozenset():
        return True
    try:
        members = list(_members(entry.line, _TEXTS_DECODER))
    except ValueError as error:
        entry.fail(JSON_ERROR, str(error))
        return True
    found = {key: readable(value) for key, value in members if isinstance(value, str)}
    if "_entry" in found:
        entry.line = found.pop("_entry")
        for key, text in found.items():
            entry.extract(label_name(key), text)
    return True
