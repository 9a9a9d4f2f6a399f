"""A template's source as text and actions, and an action's body as tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from awf.errors import QueryError

_OPEN = re.compile(r"\{\{(?P<trim>-(?=\s))?\s*(?P<comment>/\*.*?\*/)?", re.DOTALL)
_CLOSE = re.compile(r"(?P<trim>\s-)?\}\}")
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)
      | (?P<char>'(?:\\.[^'\n]*|[^'\\\n])')
      | (?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.]))
      | (?P<field>\.[^\W\d]\w*)
      | (?P<variable>\$\w*)
      | (?P<word>[^\W\d]\w*)
      | (?P<mark>:=|[=,|().])""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`glued` tells that no space stands before it."""

    kind: str
    text: str
    glued: bool


def pieces(source: str) -> Iterator[str | list[Token]]:
    """Yield text and the tokens of actions in turn. Raises QueryError."""
    position, trims = 0, False
    while position <= len(source):
        found = _OPEN.search(source, position)
        text = source[position : found.start() if found else len(source)]
        text = text.lstrip() if trims else text
        yield text.rstrip() if found and found["trim"] else text
        if found is None:
            return
        tokens, position, trims = _action(source, found.end())
        if found["comment"] is not None:
            if tokens:
                raise invalid("comment ends before closing delimiter")
            continue
        if not tokens:
            raise invalid("missing value for command")
        yield tokens


def _action(source: str, position: int) -> tuple[list[Token], int, bool]:
    """Return the tokens to the closing braces, where these end, and whether they trim what follows."""
    tokens: list[Token] = []
    glued = False
    while True:
        closing = _CLOSE.match(source, position)
        if closing is not None:
            return tokens, closing.end(), closing["trim"] is not None
        found = _TOKEN.match(source, position)
        if found is None:
            where = source[position : position + 1]
            raise invalid(f"unexpected {where!r} in an action" if where else "unclosed action")
        position = found.end()
        kind = found.lastgroup or ""
        if kind != "space":
            tokens.append(Token(kind, found[0], glued))
        glued = kind != "space"


def invalid(message: str) -> QueryError:
    return QueryError(f"invalid line template: {message}")
