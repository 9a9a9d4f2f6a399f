"""Errors in the text of a query, for people: after Loki's sentence the line with a caret, and a hint."""

from __future__ import annotations

import difflib
import re
from typing import Final

from awf.embedded.excerpt import excerpt
from awf.errors import QueryError

_SHOWN: Final = 120
"""Characters of the line that are shown; long lines are cut around the caret."""
_PLACE: Final = re.compile(r"line (\d+), col (\d+)")
_STRINGS: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_STAGES: Final = (
    "json", "logfmt", "regexp", "pattern", "unpack", "decolorize", "line_format", "label_format", "drop", "keep", "unwrap",
)  # fmt: skip
_FUNCTIONS: Final = (
    "count_over_time", "rate", "rate_counter", "bytes_over_time", "bytes_rate", "sum_over_time", "avg_over_time",
    "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "first_over_time",
    "last_over_time", "absent_over_time", "sum", "avg", "min", "max", "count", "stddev", "stdvar", "topk", "bottomk",
    "approx_topk", "sort", "sort_desc", "label_replace", "vector",
)  # fmt: skip
_HINTS: Final = (
    (re.compile(r"'$"), 'Strings stand in double quotes or backticks: "text".'),
    (re.compile(r"(?:&&?|\|\|)$"), "Filters are joined by and, or, or a comma."),
    (re.compile(r"\{[^}]*==$"), "Inside { } equality is written with one =."),
    (re.compile(r"<>$"), "Inequality is written !=."),
    (re.compile(r"\|\s*(?:contains|like|grep)\s*$"), 'Lines are filtered by |= "text" or |~ "regex".'),
    (re.compile(r"\{[^}]*[=~]\s*[\w.*]+$"), "Values of labels are quoted: { app = \"web\" }."),
)  # fmt: skip


def pointed_out(error: QueryError, query: str) -> QueryError:
    """Return the error with the place that it names marked in the query; unchanged when it names none."""
    found = _PLACE.search(error.message)
    if found is None:
        return error
    line, column = int(found[1]), int(found[2])
    at = sum(len(before) + 1 for before in query.split("\n")[: line - 1]) + column - 1
    shown = excerpt(query, line, column, width=_SHOWN)
    return type(error)(f"{error.message}\n{shown}", hint=error.hint or _hint(query, at))


def _hint(query: str, at: int) -> str:
    word = re.match(r"\w+", query[at:])
    for read in (
        query[: at + 1],
        query[: at + 2],
        query[: at + len(word[0] if word else "")],
        query[:at].rstrip(),
    ):
        for pattern, hint in _HINTS:
            if pattern.search(read):
                return hint
    return _nearest(query, at) or _missing(query, at)


def _nearest(query: str, at: int) -> str:
    """Name the stage or function that a word near the place resembles."""
    for found in re.finditer(r"(\|\s*)?\b([A-Za-z_]\w*)", query[: at + 40]):
        if not found.start() <= at <= found.end() + 1:
            continue
        known = _STAGES if found[1] else _FUNCTIONS
        word = found[2].lower()
        close = [name for name in known if len(word) > 1 and name.startswith(word)]
        close += difflib.get_close_matches(word, known, n=1, cutoff=0.7)
        if close and word not in known:
            return f"Did you mean {close[0]}?"
    return ""


def _missing(query: str, at: int) -> str:
    bare = _STRINGS.sub("", query)
    if "{" not in bare and not re.search(r"vector|\d", bare):
        return 'A query begins with the streams that it is about: { app = "web" }.'
    if at >= len(query.rstrip()):
        for opening, closing in ("{}", "()", "[]"):
            if bare.count(opening) > bare.count(closing):
                return f"A {opening} is not closed by {closing}."
    if re.search(r"\w\s*\(\s*\{", bare) and "[" not in bare:
        return 'A function over lines needs a range: rate({ app = "web" } [5m]).'
    return ""
