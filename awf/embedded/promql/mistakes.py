"""Errors in the text of a query: the place with a caret, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from awf.embedded.promql.syntax import Span
from awf.errors import QueryError

_SHOWN_LINE = 160


class ParseError(QueryError):
    """The query is not PromQL. `complaint` is Prometheus' sentence; the message adds place, caret and hint."""

    def __init__(self, query: str, span: Span, complaint: str, hint: str = "") -> None:
        line, column, text = _located(query, span.start)
        lines = [f"{line}:{column}: parse error: {complaint}", *_underlined(text, column, span)]
        if hint:
            lines.append(f"Hint: {hint}")
        super().__init__("\n".join(lines), hint=hint)
        self.complaint = complaint
        self.span = span


def position(query: str, at: int) -> str:
    """Return a place as Prometheus writes it: line and column, from 1."""
    line, column, _text = _located(query, at)
    return f"{line}:{column}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a word most likely means, or None."""
    by_folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_folded, n=1, cutoff=0.7)
    return by_folded[found[0]] if found else None


def _located(query: str, at: int) -> tuple[int, int, str]:
    before = query[:at]
    start = before.rfind("\n") + 1
    end = query.find("\n", start)
    return before.count("\n") + 1, at - start + 1, query[start:] if end < 0 else query[start:end]


def _underlined(line: str, column: int, span: Span) -> list[str]:
    """Return the line and the caret under it; of a very long line only the part around the mistake."""
    cut = max(0, column - 1 - _SHOWN_LINE // 2)
    shown = line[cut : cut + _SHOWN_LINE]
    at = column - 1 - cut
    length = max(1, min(span.end - span.start, len(shown) - at))
    indent = "".join("\t" if char == "\t" else " " for char in shown[:at]).ljust(at)
    return [shown, f"{indent}^{'~' * (length - 1)}"]
