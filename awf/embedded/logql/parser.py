"""Text to syntax tree: the parser itself, its limits, and Loki's wording of syntax errors."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

from lark import Lark, UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from awf.embedded.logql import nodes
from awf.embedded.logql.builder import Builder
from awf.embedded.logql.grammar import GRAMMAR
from awf.embedded.logql.mistakes import pointed_out
from awf.errors import QueryError, QueryLimit

MAX_QUERY_BYTES: Final = 8 * 1024
MAX_DEPTH: Final = 100
_MAX_NAMED = 4


@cache
def _lark() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=True, transformer=Builder())


def parse(query: str) -> nodes.Query:
    """Return the tree of a query. Raises QueryError that points at the place, UnsupportedQuery or QueryLimit."""
    try:
        return _parse(query)
    except QueryLimit:
        raise
    except QueryError as error:
        raise pointed_out(error, query) from None


def _parse(query: str) -> nodes.Query:
    size = len(query.encode(errors="surrogatepass"))
    if size > MAX_QUERY_BYTES:
        raise QueryLimit(f"the query is {size} bytes long; at most {MAX_QUERY_BYTES} are accepted")
    if not query.strip():
        raise QueryError("parse error : syntax error: unexpected $end")
    try:
        tree = cast("nodes.Query", _lark().parse(query))
    except UnexpectedInput as error:
        raise QueryError(_describe(error, query)) from None
    _check_depth(tree)
    return tree


def parse_selector(query: str) -> nodes.LogQuery:
    """Parse a query that must be a selector, perhaps with a pipeline. Raises QueryError."""
    tree = parse(query)
    if not isinstance(tree, nodes.LogQuery):
        raise QueryError("only label matchers are supported")
    return tree


def _check_depth(tree: object) -> None:
    """Refuse what would exhaust the stack of the evaluator. Walks without recursion for the same reason."""
    pending: list[tuple[object, int]] = [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise QueryLimit(f"the query nests more than {MAX_DEPTH} levels deep")
        pending += ((child, depth + 1) for child in _children(node))


def _children(node: object) -> tuple[object, ...]:
    match node:
        case nodes.Binary():
            return (node.left, node.right)
        case nodes.VectorAggregation() | nodes.LabelReplace():
            return (node.operand,)
        case nodes.RangeAggregation():
            return (node.range.query, *node.range.filters)
        case nodes.LogQuery():
            return node.stages
        case nodes.LabelAnd() | nodes.LabelOr():
            return node.filters
    return ()


def _describe(error: UnexpectedInput, query: str) -> str:
    if isinstance(error, UnexpectedCharacters):
        found = query[error.pos_in_stream or 0]
        what = "missing closing ']' in duration" if found == "[" else f"syntax error: unexpected {found!r}"
        if found in {'"', "`"}:
            what = "literal not terminated"
        return f"parse error at line {error.line}, col {error.column}: {what}"
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        found = _shown(error.token.type, str(error.token))
        where = f"at line {error.line}, col {error.column}"
        return f"parse error {where}: syntax error: unexpected {found}{_expected(error)}"
    lines = query.split("\n")
    where = f"at line {len(lines)}, col {len(lines[-1]) + 1}"
    return f"parse error {where}: syntax error: unexpected $end{_expected(error)}"


def _expected(error: UnexpectedInput) -> str:
    """Name what would fit, when that is a short list."""
    if not isinstance(error, UnexpectedToken | UnexpectedEOF):
        return ""
    accepted: Any = getattr(error, "accepts", None) or error.expected
    terminals = {terminal.name: terminal for terminal in _lark().terminals}
    names = sorted({_shown(name, terminals[name].pattern.value) for name in accepted if name in terminals})
    return f", expecting {' or '.join(names)}" if 0 < len(names) <= _MAX_NAMED else ""


def _shown(name: str, text: str) -> str:
    """Return punctuation as it is written, other terminals by name."""
    return text if not text[:1].isalnum() and len(text) <= 2 else name
