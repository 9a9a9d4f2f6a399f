"""From text to a checked expression tree, and what can be read off it. Refuses what is not answered."""

from __future__ import annotations

from functools import lru_cache

from awf.embedded.model import Matcher, MatchOp
from awf.embedded.promql import guard
from awf.embedded.promql.catalog import FUNCTIONS, WHY_NOT
from awf.embedded.promql.grammar import parse_expression
from awf.embedded.promql.lexer import tokens
from awf.embedded.promql.pretty import pretty
from awf.embedded.promql.syntax import Aggregate, Binary, Call, Node, Selector, walk
from awf.embedded.promql.typecheck import check
from awf.embedded.promql.values import NAME
from awf.errors import QueryError, UnsupportedQuery

_NATIVE_OPERATORS = frozenset({"</", ">/"})


@lru_cache(maxsize=512)
def parse(query: str) -> Node:
    """Parse PromQL. Raises ParseError (its text says where), UnsupportedQuery naming the construct,
    or QueryLimit when it is too long or too deep."""
    node = _parsed(query)
    for item in walk(node):
        if isinstance(item, Call) and item.name not in FUNCTIONS:
            raise UnsupportedQuery(
                f"the PromQL function {item.name}() is not supported: {WHY_NOT[item.name]}"
            )
        if isinstance(item, Binary) and item.op in _NATIVE_OPERATORS:
            raise UnsupportedQuery(
                f"the PromQL operator {item.op} is not supported: it trims native histograms"
            )
    return node


def _parsed(query: str) -> Node:
    guard.check_length(query)
    found = tokens(query)
    guard.check_depth(found)
    node = parse_expression(query, found)
    check(node, query)
    return node


def parse_selector(text: str) -> tuple[Matcher, ...]:
    """Parse a series selector, such as a `match[]` parameter. Raises QueryError."""
    node = parse(text)
    if not isinstance(node, Selector) or node.offset_ms or node.offset_expr or node.at is not None:
        raise QueryError(f"{text.strip()[:200]!r} is not a series selector")
    return node.matchers


def selectors(query: str) -> list[tuple[Matcher, ...]]:
    """Return the matchers of every selector in the query."""
    return [node.matchers for node in walk(parse(query)) if isinstance(node, Selector)]


def format_query(query: str) -> str:
    """Return the query laid out as Prometheus does it. Raises QueryError."""
    return pretty(_parsed(query))


def metric_names(query: str) -> set[str]:
    """Return the metric names that the query selects by equality."""
    found = (matcher for matchers in selectors(query) for matcher in matchers)
    return {matcher.value for matcher in found if matcher.name == NAME and matcher.op is MatchOp.EQUAL}


def label_names(query: str) -> set[str]:
    """Return the labels used in matchers, grouping and vector matching, `__name__` left out."""
    names: set[str] = set()
    for node in walk(parse(query)):
        if isinstance(node, Selector):
            names.update(matcher.name for matcher in node.matchers)
        elif isinstance(node, Aggregate):
            names.update(node.labels)
        elif isinstance(node, Binary):
            names.update(node.matching.labels, node.matching.include)
    return names - {NAME}
