"""The names that a query can use: attributes seen on spans, by scope, and the intrinsics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from awf.embedded.traceql.fields import NAMES
from awf.embedded.traceql.traces import SpanView
from awf.errors import QueryError

SCOPES: Final = ("resource", "span", "event", "link", "intrinsic")
_STORED_WITHOUT: Final = "instrumentation"


def attribute_names(views: Iterable[SpanView], scope: str) -> dict[str, list[str]]:
    """Return sorted names by scope; an empty scope means all. Raises QueryError for an unknown one."""
    if scope not in {"", "none", "all", _STORED_WITHOUT, *SCOPES}:
        raise QueryError(f"scope is {scope!r}; it must be one of {', '.join(SCOPES)}")
    asked = SCOPES if scope in {"", "none", "all"} else (scope,)
    found: dict[str, set[str]] = {name: set() for name in asked}
    if "intrinsic" in found:
        found["intrinsic"] = set(NAMES)
    if set(asked) != {"intrinsic"}:
        for view in views:
            for name, attributes in _attributes(view):
                if name in found:
                    found[name].update(attributes)
    return {name: sorted(names) for name, names in found.items() if names}


def _attributes(view: SpanView) -> Iterable[tuple[str, Mapping[str, Any]]]:
    span = view.span
    yield "resource", span.resource
    yield "span", span.attributes
    for event in span.events:
        yield "event", event.attributes
    for link in span.links:
        yield "link", link.attributes
