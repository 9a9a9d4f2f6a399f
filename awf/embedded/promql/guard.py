"""What must be true of a query before the parser may see it.

The parser is native code: deep nesting and long operator chains overflow its stack and kill the process,
and some values make it panic. So length, depth and those values are checked on the text.
"""

from __future__ import annotations

import re

from awf.errors import QueryError, QueryLimit, UnsupportedQuery

MAX_LENGTH = 8192
MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""
    (?P<skip>\s+|\#[^\n]*)
  | (?P<string>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*`)
  | (?P<word>[A-Za-z_:][\w:]*)
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)\w*)
  | (?P<operator>[-+*/%^]|[=!]=|[<>]=?)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})


def admit(query: str) -> str:
    """Return the query as the parser may see it. Raises QueryLimit, QueryError or UnsupportedQuery.

    Raw strings become quoted ones, because the parser looks for escapes in raw strings.
    """
    if len(query.encode()) > MAX_LENGTH:
        raise QueryLimit(
            f"the query is {len(query.encode())} bytes long, at most {MAX_LENGTH} are accepted",
            hint="Use a recording rule for parts of it.",
        )
    levels = [0]  # operators seen at each level of open brackets
    previous = ""
    admitted: list[str] = []
    for token in _TOKEN.finditer(query):
        kind, text = token.lastgroup, token.group()
        admitted.append(_quoted(text[1:-1]) if kind == "string" and text[0] == "`" else text)
        if kind == "skip":
            continue
        if previous == "@" and text == "-":
            raise UnsupportedQuery("@ with a time before 1970 is not supported")
        previous = text
        _count(levels, kind == "operator" or text.lower() in _WORD_OPERATORS, text)
    return "".join(admitted)


def _quoted(raw: str) -> str:
    escaped = raw.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").replace("\r", "")
    return f'"{escaped}"'


def _count(levels: list[int], is_operator: bool, text: str) -> None:
    if is_operator:
        levels[-1] += 1
    elif text in {"(", "[", "{"}:
        levels.append(0)
    elif text in {")", "]", "}"}:
        if len(levels) == 1:
            raise QueryError(f"unexpected {text!r}: no bracket is open")
        levels.pop()
    if len(levels) - 1 + sum(levels) > MAX_DEPTH:
        raise QueryLimit(
            f"the query nests brackets and operators deeper than {MAX_DEPTH}",
            hint="Use a regular expression matcher or a recording rule instead of a long chain.",
        )
