"""How long and how deep a query may be, so that parsing and evaluation stay within their means."""

from __future__ import annotations

from collections.abc import Iterable

from awf.embedded.promql.lexer import WORD_OPERATORS, Token
from awf.errors import QueryLimit

MAX_LENGTH = 8192
MAX_DEPTH = 100

_OPERATORS = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">=", "</", ">/"})


def check_length(query: str) -> None:
    """Raise QueryLimit for a query that is too long."""
    length = len(query.encode(errors="surrogatepass"))
    if length > MAX_LENGTH:
        raise QueryLimit(
            f"the query is {length} bytes long, at most {MAX_LENGTH} are accepted",
            hint="Use a recording rule for parts of it.",
        )


def check_depth(found: Iterable[Token]) -> None:
    """Raise QueryLimit for a query that nests too many brackets and operators."""
    levels = [0]  # operators seen at each level of open brackets
    depth = 0
    for token in found:
        if token.kind == "symbol" and token.text in "([{":
            levels.append(0)
            depth += 1
        elif token.kind == "symbol" and token.text in ")]}" and len(levels) > 1:
            depth -= 1 + levels.pop()
        elif token.text in _OPERATORS or token.lower in WORD_OPERATORS:
            levels[-1] += 1
            depth += 1
        if depth > MAX_DEPTH:
            raise QueryLimit(
                f"the query nests brackets and operators deeper than {MAX_DEPTH}",
                hint="Use a regular expression matcher or a recording rule instead of a long chain.",
            )
