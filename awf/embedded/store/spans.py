"""Reading spans."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from awf.embedded.model import Span, SpanEvent, SpanLink
from awf.embedded.store.cursors import Cursors
from awf.embedded.store.rows import EMPTY_LIST, EMPTY_OBJECT

MAX_SPANS = 500_000

_COLUMNS = (
    "trace_id, span_id, parent_span_id, name, kind, start_ns, end_ns, status, status_message,"
    " attributes, resource, scope_name, scope_version, events, links"
)


class SpanTable:
    """Answers `SpanReader` for a database."""

    def __init__(self, cursors: Cursors) -> None:
        self._cursors = cursors

    def trace(self, trace_id: str) -> list[Span]:
        found = self._cursors.rows(
            f"select {_COLUMNS} from spans where trace_id = ?", [trace_id], limit=MAX_SPANS, what="spans"
        )
        return _spans(found)

    def spans(self, start_ns: int, end_ns: int) -> list[Span]:
        found = self._cursors.rows(
            f"select {_COLUMNS} from spans where trace_id in"
            " (select distinct trace_id from spans where start_ns between ? and ?)",
            [start_ns, end_ns],
            limit=MAX_SPANS,
            what="spans",
        )
        return _spans(found)


def _spans(found: Iterable[tuple[Any, ...]]) -> list[Span]:
    """Build spans by start time; one that was sent twice counts once."""
    resources: dict[str, Any] = {}
    spans: dict[tuple[str, str], Span] = {}
    for trace_id, span_id, parent, name, kind, start, end, status, message, own, resource, *rest in found:
        scope_name, scope_version, events, links = rest
        if resource not in resources:
            resources[resource] = json.loads(resource)
        spans[trace_id, span_id] = Span(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=parent,
            name=name,
            kind=kind,
            start_ns=start,
            end_ns=end,
            status=status,
            status_message=message,
            attributes={} if own == EMPTY_OBJECT else json.loads(own),
            resource=resources[resource],
            scope_name=scope_name,
            scope_version=scope_version,
            events=() if events == EMPTY_LIST else tuple(SpanEvent(*event) for event in json.loads(events)),
            links=() if links == EMPTY_LIST else tuple(SpanLink(*link) for link in json.loads(links)),
        )
    return sorted(spans.values(), key=lambda span: (span.start_ns, span.span_id))
