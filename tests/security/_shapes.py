"""What a query is, apart from the name it is about: its syntax tree, by our own parsers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from awf.embedded import logql, traceql
from awf.embedded.promql import parser as promql

PARSERS: dict[str, Callable[[str], object]] = {
    "promql": promql.parse,
    "logql": logql.parse,
    "traceql": traceql.parse,
}


def shape(language: str, query: str, name: str) -> str:
    """Return a query's syntax tree, with the name that it is about taken out. Raises QueryError for none."""
    tree = _tree(language, query)
    pattern = "".join(f"\\{char}" if char in "\\.+*?()|[]{}^$" else char for char in name)
    for text in (pattern, name):
        tree = tree.replace(repr(text), "THE NAME")
    return tree


@cache
def _tree(language: str, query: str) -> str:
    return repr(PARSERS[language](query))


def language_of(query: str) -> str:
    """Return which language a query of the watcher is in, by how it begins."""
    return "traceql" if query.startswith("{ ") else "logql" if query.startswith("{") else "promql"
