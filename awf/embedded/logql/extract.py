"""The parsers of plain lines: logfmt, regexp and pattern, each a function of one entry."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from awf.embedded.logql.entry import Entry
from awf.embedded.logql.regex import line_pattern

Step: TypeAlias = Callable[[Entry], bool]
"""Changes the entry and tells whether it stays."""

LOGFMT_ERROR = "LogfmtParserErr"
_NO_CHARACTER = re.compile("[\ud800-\udfff\ufffd]")
ILLEGAL = re.compile(r"[^A-Za-z0-9_]")
_SEPARATOR = re.compile(r"[\x00-\x20]")
_KEY = re.compile(r'(?=[^\x00-\x20])[^\x00-\x20="]*')
_WORD = re.compile(r'[^\x00-\x20="]*')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PAIR = re.compile(
    r"""[\x00-\x20]*+([^\x00-\x20="]++)(?:="([^"\\]*+)"|=([^\x00-\x20="]*+)(?![="])|(?![="]))"""
)
"""A pair that is whole and has no escapes, as nearly all are."""
_CAPTURE = re.compile(r"<([A-Za-z_]\w*)>")


def label_name(key: str) -> str:
    """Return a key as a label name: illegal characters become `_`, a leading digit gets one before it."""
    if key.isidentifier() and key.isascii():
        return key
    key = key.strip()
    if key[:1].isdigit():
        key = "_" + key
    return ILLEGAL.sub("_", key)


def readable(text: str) -> str:
    """Blank out what is no character: it could not be sent to a client."""
    return text if text.isascii() else _NO_CHARACTER.sub(" ", text)


def assign(entry: Entry, found: list[tuple[str, str | None]]) -> None:
    for name, text in found:
        if text is not None:
            entry.assign(name, text)
        elif entry.get(name) is None:
            entry.set(name, "")


def _pairs(line: str, *, strict: bool) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a logfmt line. In strict mode a broken pair raises ValueError; else it is skipped.

    Whatever is not above a space separates pairs, and so does a closing quote."""
    position = 0
    while True:
        whole = _PAIR.match(line, position)
        if whole is not None:
            key, quoted, word = whole.groups("")
            value: str | None = readable(quoted or word)
            position = whole.end()
        elif (found := _KEY.search(line, position)) is None:
            return
        else:
            key, value, position = _unusual(line, found)
        if value is not None and "\ufffd" not in key:
            yield key, value
        elif strict:
            raise ValueError(f"logfmt syntax error before pos {position + 1}")


def _unusual(line: str, found: re.Match[str]) -> tuple[str, str | None, int]:
    """Return the pair whose key was found, its value None when it is broken, and where it ends."""
    key, position = found[0], found.end()
    after = line[position : position + 1]
    if after == "=" and key:
        return key, *_value(line, position + 1)
    if after not in {"=", '"'}:
        return key, "", position
    return key, None, _word_end(line, position)


def _value(line: str, position: int) -> tuple[str | None, int]:
    """Return a value, None when it is broken, and where it ends."""
    if line.startswith('"', position):
        found = _QUOTED.match(line, position)
        return (_unquoted(found[0]), found.end()) if found else (None, len(line))
    found = _WORD.match(line, position)
    end = found.end() if found else position
    if line[end : end + 1] in {"=", '"'}:
        return None, _word_end(line, end)
    return readable(line[position:end]), end


def _word_end(line: str, position: int) -> int:
    found = _SEPARATOR.search(line, position)
    return found.start() if found else len(line)


def _unquoted(value: str) -> str | None:
    """Return a value without quotes and escapes; None when an escape is wrong."""
    if "\\" not in value:
        return readable(value[1:-1])
    try:
        return readable(json.loads(_ESCAPED.sub(lambda found: "'" if found[1] == "'" else found[0], value)))
    except ValueError:
        return None


def logfmt_parser(*, strict: bool, keep_empty: bool) -> Step:
    def step(entry: Entry) -> bool:
        if entry.is_satisfied():
            return True
        required = entry.hints.required
        try:
            for key, value in _pairs(entry.line, strict=strict):
                name = label_name(key)
                if name and (value or keep_empty) and (required is None or name in required):
                    entry.extract(name, value)
                    if entry.is_satisfied():
                        break
        except ValueError as error:
            entry.fail(LOGFMT_ERROR, str(error))
        return True

    return step


def logfmt_extractor(extractions: tuple[tuple[str, str], ...], *, strict: bool) -> Step:
    """Return a parser for `logfmt name="key", ...`: every name gets a label, if only an empty one. Of a key
    that comes twice the last value counts."""

    def step(entry: Entry) -> bool:
        if entry.is_satisfied():
            return True
        found: dict[str, str] = {}
        try:
            for key, value in _pairs(entry.line, strict=strict):
                found[label_name(key)] = value
        except ValueError as error:
            entry.fail(LOGFMT_ERROR, str(error))
        assign(entry, [(name, found.get(key)) for name, key in extractions])
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


@dataclass(frozen=True, slots=True)
class LineShape:
    """`<_> failed: <_>` of a line filter: literals with something between them, and at an open end."""

    literals: tuple[str, ...]
    open_start: bool
    open_end: bool

    @classmethod
    def parse(cls, text: str) -> LineShape:
        """Raises ValueError."""
        pieces = _CAPTURE.split(text)
        named = [name for name in pieces[1::2] if name != "_"]
        if named:
            raise ValueError(f"named captures are not allowed: found '<{named[0]}>'")
        literals = pieces[::2]
        if not all(literals[1:-1]):
            raise ValueError("found consecutive capture '<_><_>': invalid expression")
        kept = tuple(literal for literal in literals if literal)
        is_open = len(literals) > 1
        return cls(kept, is_open and not literals[0], is_open and not literals[-1])

    def fits(self, line: str) -> bool:
        """A line that begins before its first literal fits too, as in Loki."""
        if not self.literals:
            return bool(line) is self.open_end
        end = 0
        for index, literal in enumerate(self.literals):
            start = line.find(literal, end)
            if start == -1 or (start == end and (index or self.open_start)):
                return False
            end = start + len(literal)
        return (end < len(line)) is self.open_end


def pattern_parser(pattern: str) -> Step:
    compiled = LinePattern.parse(pattern)

    def step(entry: Entry) -> bool:
        if not entry.is_satisfied():
            for name, value in compiled.find(entry.line):
                entry.extract(name, value)
        return True

    return step
