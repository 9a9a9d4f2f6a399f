"""The parsers of a pipeline: json, logfmt, regexp, pattern and unpack, each a function of one entry."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, TypeAlias

from awf.embedded.logql.entry import Entry
from awf.embedded.logql.regex import line_pattern

Step: TypeAlias = Callable[[Entry], bool]
"""Changes the entry and tells whether it stays."""

JSON_ERROR = "JSONParserErr"
LOGFMT_ERROR = "LogfmtParserErr"
_NO_CHARACTER = re.compile("[\ud800-\udfff\ufffd]")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_]")
_SPACE = re.compile(r"[ \t\n\r]*")
_PAIR = re.compile(r'([^\s="]+)(?:=("(?:[^"\\]|\\.)*"(?=\s|$)|[^\s"]*(?=\s|$)))?(?=\s|$)', re.DOTALL)
_CAPTURE = re.compile(r"<([A-Za-z_]\w*)>")
_PATH_PART = re.compile(r"\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\[\"([^\"]*)\"\]")


class _Object(list[tuple[str, Any]]):
    """A JSON object with its members in order, duplicates kept."""


def _no_constant(name: str) -> str:
    raise ValueError(f"unknown value {name}")


class _Raw(str):
    """A number as it was written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Object, parse_float=_Raw, parse_int=_Raw, parse_constant=_no_constant, strict=False
)


def label_name(key: str) -> str:
    """Return a key as a label name: illegal characters become `_`, a leading digit gets one before it."""
    key = key.strip()
    if key[:1].isdigit():
        key = "_" + key
    return _ILLEGAL.sub("_", key)


def _text(value: Any) -> str | None:
    """Return a scalar as a label value; None for what is not one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _readable(value) if isinstance(value, str) else None


def _readable(text: str) -> str:
    """Blank out what is no character: it could not be sent to a client."""
    return text if text.isascii() else _NO_CHARACTER.sub(" ", text)


def _members(line: str) -> Iterator[tuple[str, Any]]:
    """Yield the members of the object in a line. Raises ValueError, possibly after some of them."""
    try:
        whole = _DECODER.decode(line)
    except (ValueError, RecursionError):
        yield from _members_until_broken(line)
        return
    if not isinstance(whole, _Object):
        raise ValueError("expecting json object, but it is not")  # noqa: TRY004  (callers tell it as one)
    yield from whole


def _members_until_broken(line: str) -> Iterator[tuple[str, Any]]:
    position = _skip(line, 0, "{")
    while not line.startswith("}", position):
        position = _skip(line, position, '"')
        key, position = scanstring(line, position, False)
        position = _skip(line, position, ":")
        try:
            value, position = _DECODER.raw_decode(line, _SPACE.match(line, position).end())  # type: ignore[union-attr]
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        yield key, value
        position = _SPACE.match(line, position).end()  # type: ignore[union-attr]
        if not line.startswith("}", position):
            position = _skip(line, position, ",")
        position = _SPACE.match(line, position).end()  # type: ignore[union-attr]


def _skip(line: str, position: int, expected: str) -> int:
    position = _SPACE.match(line, position).end()  # type: ignore[union-attr]
    if not line.startswith(expected, position):
        found = repr(line[position]) if position < len(line) else "the end of the line"
        raise ValueError(f"expected {expected!r} but found {found} at column {position + 1}")
    return position + 1


def json_parser(entry: Entry) -> bool:
    """Every scalar of the object becomes a label, nested keys joined by `_`; arrays and null do not."""
    if entry.is_satisfied():
        return True
    try:
        for key, value in _members(entry.line):
            _flatten(entry, label_name(key), value)
            if entry.is_satisfied():
                return True
    except ValueError as error:
        entry.fail(JSON_ERROR, str(error))
    return True


def _flatten(entry: Entry, name: str, value: Any) -> None:
    if isinstance(value, _Object):
        for key, item in value:
            part = label_name(key) if not name else _ILLEGAL.sub("_", key.strip())
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

    def find(self, value: Any) -> str | None:
        """Return what is there as text (nested values as JSON, null as nothing), None when it is missing."""
        for part in self.parts:
            if isinstance(part, int):
                if type(value) is not list or part >= len(value):
                    return None
                value = value[part]
            else:
                members = value if isinstance(value, _Object) else ()
                found = [item for key, item in members if key == part]
                if not found:
                    return None
                value = found[0]
        return "" if value is None else _text(value) or _as_json(value)


def _as_json(value: Any) -> str:
    if isinstance(value, _Object):
        members = (f"{json.dumps(key, ensure_ascii=False)}:{_as_json(item)}" for key, item in value)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_as_json(item) for item in value) + "]"
    return str(value) if isinstance(value, _Raw) else json.dumps(value, ensure_ascii=False)


def json_extractor(extractions: tuple[tuple[str, str], ...]) -> Step:
    """Return a parser for `json name="path", ...`: every name gets a label, if only an empty one."""
    paths = [(name, JsonPath.parse(path)) for name, path in extractions]

    def step(entry: Entry) -> bool:
        if not entry.line or entry.is_satisfied():
            return True
        value, problem = _decode_what_can_be(entry.line)
        found = [(name, path.find(value)) for name, path in paths]
        if problem and any(text is None for _, text in found):
            entry.fail(JSON_ERROR, problem)
        _assign(entry, found)
        return True

    return step


def _decode_what_can_be(line: str) -> tuple[Any, str]:
    """Return the value and what is wrong with it; of a broken object, the members before the fault."""
    try:
        return _DECODER.decode(line), ""
    except (ValueError, RecursionError):
        members = _Object()
    try:
        members.extend(_members_until_broken(line))
    except ValueError as error:
        return members, str(error)
    return members, "unexpected text after the object"


def _assign(entry: Entry, found: list[tuple[str, str | None]]) -> None:
    for name, text in found:
        if text is not None:
            entry.assign(name, text)
        elif entry.get(name) is None:
            entry.set(name, "")


def unpack_parser(entry: Entry) -> bool:
    """Members with string values become labels; `_entry` becomes the line."""
    if not entry.line or entry.is_satisfied():
        return True
    try:
        members = list(_members(entry.line))
    except ValueError as error:
        entry.fail(JSON_ERROR, str(error))
        return True
    for key, value in members:
        if not isinstance(value, str) or isinstance(value, _Raw):
            continue
        if key == "_entry":
            entry.line = _readable(value)
        else:
            entry.extract(label_name(key), _readable(value))
    return True


def _pairs(line: str, *, strict: bool) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a logfmt line. In strict mode a broken pair raises ValueError; else it is skipped."""
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        found = _PAIR.match(line, position)
        if found is not None:
            position = found.end()
            yield found[1], _unquoted(found[2] or "")
            continue
        if strict:
            raise ValueError(f"logfmt syntax error at pos {position + 1}")
        quote, space = line.find('="', position), line.find(" ", position)
        if quote > -1 and (space == -1 or quote < space) and line.find('"', quote + 2) == -1:
            return  # an unterminated value takes the rest of the line with it
        position = len(line) if space == -1 else space


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return _readable(json.loads(value, strict=False))
    except ValueError:
        return value[1:-1]


def logfmt_parser(*, strict: bool, keep_empty: bool) -> Step:
    def step(entry: Entry) -> bool:
        if entry.is_satisfied():
            return True
        try:
            for key, value in _pairs(entry.line, strict=strict):
                name = label_name(key)
                if name and (value or keep_empty):
                    entry.extract(name, value)
                if entry.is_satisfied():
                    break
        except ValueError as error:
            entry.fail(LOGFMT_ERROR, str(error))
        return True

    return step


def logfmt_extractor(extractions: tuple[tuple[str, str], ...], *, strict: bool) -> Step:
    """Return a parser for `logfmt name="key", ...`: every name gets a label, if only an empty one."""

    def step(entry: Entry) -> bool:
        if entry.is_satisfied():
            return True
        found: dict[str, str] = {}
        try:
            for key, value in _pairs(entry.line, strict=strict):
                found.setdefault(label_name(key), _readable(value))
        except ValueError as error:
            entry.fail(LOGFMT_ERROR, str(error))
        _assign(entry, [(name, found.get(key)) for name, key in extractions])
        return True

    return step


def regexp_parser(pattern: str) -> Step:
    """Return a parser that sets every named group; a line that does not match stays as it is."""
    compiled = line_pattern(pattern)

    def step(entry: Entry) -> bool:
        found = compiled.search(entry.line)
        if found is not None:
            for name, value in found.groupdict("").items():
                entry.extract(name, value)
        return True

    return step


@dataclass(frozen=True, slots=True)
class LinePattern:
    """`<ip> - <_> "<method>`: a leading literal, then captures each with the literal that ends it."""

    prefix: str
    captures: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> LinePattern:
        """Raises ValueError."""
        pieces = _CAPTURE.split(text)
        names, literals = pieces[1::2], pieces[2::2]
        named = [name for name in names if name != "_"]
        if not named:
            raise ValueError("at least one capture is required")
        if any(not literal for literal in literals[:-1]):
            raise ValueError("found consecutive capture, at least one literal is expected between them")
        for name in named:
            if named.count(name) > 1:
                raise ValueError(f"duplicate capture name ({name})")
        return cls(pieces[0], tuple(zip(names, literals, strict=True)))

    def find(self, line: str) -> Iterator[tuple[str, str]]:
        """Yield captures; where a literal is missing the capture is the rest of the line, and the last."""
        if not line or not line.startswith(self.prefix):
            return
        position = len(self.prefix)
        for name, literal in self.captures:
            end = line.find(literal, position) if literal else -1
            value = line[position:] if end == -1 else line[position:end]
            if name != "_":
                yield name, value
            if end == -1:
                return
            position = end + len(literal)


def pattern_parser(pattern: str) -> Step:
    compiled = LinePattern.parse(pattern)

    def step(entry: Entry) -> bool:
        if not entry.is_satisfied():
            for name, value in compiled.find(entry.line):
                entry.extract(name, value)
        return True

    return step
