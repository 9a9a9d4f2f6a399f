"""Text to syntax tree, its limits, and the checks of types that need no data."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from awf.embedded.traceql import nodes
from awf.embedded.traceql.builder import Builder
from awf.embedded.traceql.complaints import Misplaced, located, unexpected
from awf.embedded.traceql.grammar import GRAMMAR
from awf.embedded.traceql.types import check
from awf.errors import QueryError, QueryLimit

MAX_QUERY_BYTES: Final = 8 * 1024
MAX_DEPTH: Final = 100
_MAX_CONDITIONS: Final = 50


@cache
def _lark() -> Lark:
    return Lark(
        GRAMMAR,
        parser="lalr",
        lexer="contextual",
        start=["start", "only_field"],
        maybe_placeholders=True,
        transformer=Builder(),
    )


def parse(query: str) -> nodes.Query:
    """Return the tree of a query.

    Raises QueryError with line and column, UnsupportedQuery naming the construct, QueryLimit.
    """
    tree = cast("nodes.Query", _parse(query, "start"))
    _check_depth(tree)
    check(tree)
    return tree


def readable_part(query: str) -> str:
    """Return a query that is still being typed without its last conditions, until the rest can be parsed.

    `{ .a = 1 && .b = }` becomes `{ .a = 1 }`, and what cannot be read at all becomes `{}`.
    """
    *conditions, _ = [*query.split("&&")[:_MAX_CONDITIONS], ""]
    for count in range(len(conditions), 0, -1):
        part = "&&".join(conditions[:count])
        try:
            parse(part if part.rstrip().endswith("}") else f"{part} }}")
        except QueryError:
            continue
        return part if part.rstrip().endswith("}") else f"{part} }}"
    return "{}"


def parse_field(text: str) -> nodes.Field:
    """Read one name of an attribute or intrinsic, such as `span.agent_id`. Raises QueryError."""
    field = _parse(text, "only_field")
    if not isinstance(field, nodes.Field):
        raise QueryError(f"{text!r} is no attribute; write .name, span.name or resource.name")
    return field


def _parse(text: str, start: str) -> Any:
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_QUERY_BYTES:
        raise QueryLimit(f"the query is {size} bytes long; at most {MAX_QUERY_BYTES} are accepted")
    try:
        return _lark().parse(text, start=start)
    except UnexpectedInput as error:
        raise located(_describe(error, text), text) from None
    except Misplaced as error:
        raise located(error, text) from None


def _check_depth(tree: object) -> None:
    """Refuse what would exhaust the stack of the evaluator. Walks without recursion for the same reason."""
    pending: list[tuple[object, int]] = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise QueryLimit(f"the query nests more than {MAX_DEPTH} levels deep")
        pending += ((child, depth + 1) for child in nodes.children(node))


def _describe(error: UnexpectedInput, text: str) -> Misplaced:
    lines = text.split("\n")
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        return unexpected(text, at, repr(text[at]), error.line, error.column)
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        token = error.token
        return unexpected(text, token.start_pos or 0, f"{str(token)!r:.80}", error.line, error.column)
    return unexpected(text, len(text), "the end of the query", len(lines), len(lines[-1]) + 1)
