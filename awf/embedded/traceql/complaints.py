"""Errors about a query's text, for people: where it is wrong, that line with a caret, and a hint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from lark import Token

from awf.embedded.excerpt import excerpt
from awf.errors import QueryError

_SHOWN: Final = 100
"""Characters of the line that are shown; long lines are cut around the caret."""
_HINTS: Final = (
    (re.compile(r"==$"), "Equality is written with one =."),
    (re.compile(r"<>$"), "Inequality is written !=."),
    (re.compile(r"'$"), 'Strings stand in double quotes or backticks: "text".'),
    (re.compile(r"\b(?:and|AND)$"), "Conditions are joined by &&."),
    (re.compile(r"\b(?:or|OR)$"), "Conditions are joined by ||."),
    (re.compile(r"\b(?:not|NOT)$"), "Negation is written !, or turn the comparison around: != for =."),
    (re.compile(r"(?:^|[^&])&$"), "Conditions are joined by &&."),
    (re.compile(r"(?:span|resource|event|link|instrumentation)$"), "Attributes are written span.name."),
)


class Misplaced(QueryError):
    """An error at a place in the query; `located` makes it the one that is shown."""

    def __init__(self, message: str, line: int, column: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column


def misplaced(token: Token, message: str, *, hint: str = "") -> Misplaced:
    return Misplaced(message, token.line or 1, token.column or 1, hint=hint)


def located(error: Misplaced, text: str) -> QueryError:
    """Return the error with its position and the line it is in, the place marked by a caret."""
    shown = excerpt(text, error.line, error.column, width=_SHOWN)
    where = f"parse error at line {error.line}, col {error.column}"
    return QueryError(f"{where}: {error.message}\n{shown}", hint=error.hint)


def unexpected(text: str, at: int, found: str, line: int, column: int) -> Misplaced:
    """Return the error for something that cannot stand at the offset `at`."""
    return Misplaced(f"syntax error: unexpected {found}", line, column, hint=_hint(text, at))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the most similar of the known words; empty when none is."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"Did you mean {found[0]}?" if found else ""


def _hint(text: str, at: int) -> str:
    before = re.split(r"[\s{}()]+", text[:at].rstrip())[-1]
    for read in (text[: at + 1], text[:at].rstrip(), before):
        for pattern, hint in _HINTS:
            if pattern.search(read):
                return hint
    following = re.match(r"[A-Za-z]+", text[at:])
    if following:
        for pattern, hint in _HINTS:
            if pattern.fullmatch(following[0]):
                return hint
    if "{" not in text:
        return 'Conditions on spans stand in braces: { name = "x" }.'
    if at >= len(text.rstrip()):
        return _unclosed(text)
    return ""


def _unclosed(text: str) -> str:
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', "", text)
    for opening, closing in ("{}", "()"):
        missing = bare.count(opening) - bare.count(closing)
        if missing > 0:
            return f"{missing} {opening} {'is' if missing == 1 else 'are'} not closed by {closing}."
    return ""
