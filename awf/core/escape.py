"""Values from telemetry as literals of the query languages, and as text that is safe to show.

Whatever a label holds (quotes, backslashes, newlines, regex syntax) it stays a value: it cannot end its literal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from awf.errors import QueryError

MAX_VALUE_CHARS = 500
_NAMED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_REGEX_SYNTAX = frozenset("\\.+*?()|[]{}^$")


def promql_string(value: str) -> str:
    """Return a PromQL string literal, quotes included. Raises QueryError when it is absurdly long."""
    return _quoted(value)


def promql_any_of(values: Iterable[str]) -> str:
    """Return a literal for `=~` that matches exactly these values."""
    return _quoted("|".join(sorted(_regex_literal(value) for value in values)))


def logql_string(value: str) -> str:
    """Return a LogQL string literal, quotes included. Raises QueryError when it is absurdly long."""
    return _quoted(value)


def traceql_string(value: str) -> str:
    """Return a TraceQL string literal, quotes included. Raises QueryError when it is absurdly long."""
    return _quoted(value)


def plain_text(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    """Return untrusted text on one line, without control and formatting characters, at most `limit` long."""
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text[: limit * 4])
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else f"{kept[: limit - 1]}…"


def printable(text: str) -> str:
    """Return text at its full length, with a mark in place of each character that a terminal would obey or hide."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _quoted(value: str) -> str:
    if len(value) > 4 * MAX_VALUE_CHARS:
        raise QueryError(
            f"a label value of {len(value)} characters is too long for a query: {value[:40]!r}..."
        )
    # The three languages read Go's interpreted string literals.
    return '"' + "".join(_NAMED.get(char) or _escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x20 or ord(char) == 0x7F else char


def _regex_literal(value: str) -> str:
    return "".join(f"\\{char}" if char in _REGEX_SYNTAX else char for char in value)
