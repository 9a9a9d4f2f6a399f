"""Reading spans."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from awf.embedded.blocks import EMPTY_LIST, EMPTY_OBJECT
from awf.embedded.model import Span, SpanCondition, SpanEvent, SpanGroup, SpanLink, SpanTest, TraceRef
from awf.embedded.store.cursors import Cursors
from awf.embedded.store.span_filter import condition, group_column
from awf.errors import QueryLimit

MAX_SPANS = 500_000
MAX_TRACES = 1_000_000
MAX_GROUPS = 200_000

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
        return spans_of(found)

    def spans(self, start_ns: int, end_ns: int) -> list[Span]:
        found = self._cursors.rows(
            f"select {_COLUMNS} from spans where trace_id in"
            " (select distinct trace_id from spans where start_ns between ? and ?)",
            [start_ns, end_ns],
            limit=MAX_SPANS,
            what="spans",
        )
        return spans_of(found)

    def traces(self, start_ns: int, end_ns: int, where: Sequence[SpanCondition] = ()) -> list[TraceRef]:
        parts = [condition(part) for part in where]
        also = "".join(f" and trace_id in (select trace_id from spans where {part.sql})" for part in parts)
        found = self._cursors.rows(
            "select trace_id, min(start_ns), max(start_ns), count(*) from spans where trace_id in"
            f" (select trace_id from spans where start_ns <= ? and (start_ns >= ? or end_ns >= ?)){also}"
            " group by trace_id order by min(start_ns) desc, trace_id",
            [end_ns, start_ns, start_ns, *(value for part in parts for value in part.values)],
            limit=MAX_TRACES,
            what="traces",
        )
        return [TraceRef(*row) for row in found]

    def spans_of(self, traces: Sequence[TraceRef]) -> list[Span]:
        if not traces:
            return []
        found = self._cursors.rows(
            f"select {_COLUMNS} from spans where start_ns between ? and ?"
            " and trace_id in (select unnest(?::varchar[]))",
            [
                min(trace.first_ns for trace in traces),
                max(trace.last_ns for trace in traces),
                [trace.trace_id for trace in traces],
            ],
            limit=MAX_SPANS,
            what="spans",
        )
        return spans_of(found)

    def span_groups(
        self,
        start_ns: int,
        end_ns: int,
        *,
        bucket_ns: int,
        columns: Sequence[str],
        tests: Sequence[SpanTest] = (),
        where: Sequence[SpanCondition] = (),
    ) -> list[SpanGroup] | None:
        chosen = [condition(part) for part in where]
        keys = [group_column(name) for name in columns] + [condition(test) for test in tests]
        named = "".join(f", any_value({key.sql}) as k{index}" for index, key in enumerate(keys))
        also = "".join(f" and ({part.sql})" for part in chosen)
        # A span that was sent twice counts once.
        inner = (
            f"select any_value((start_ns - {start_ns:d} - 1) // {bucket_ns:d}) as bucket,"
            f" any_value(end_ns - start_ns) as lasted{named} from spans"
            f" where start_ns > {start_ns:d} and start_ns <= {end_ns:d}{also} group by trace_id, span_id"
        )
        grouped = "".join(f", k{index}" for index in range(len(keys)))
        try:
            found = self._cursors.rows(
                "select count(*), min(lasted), max(lasted), sum(lasted)::double, bucket"
                f"{grouped} from ({inner}) group by bucket{grouped}",
                [value for part in (*keys, *chosen) for value in part.values],
                limit=MAX_GROUPS,
                what="groups of spans",
            )
        except QueryLimit:
            return None
        return [
            SpanGroup(bucket, tuple(values), spans, shortest, longest, total)
            for spans, shortest, longest, total, bucket, *values in found
        ]


def spans_of(found: Iterable[tuple[Any, ...]]) -> list[Span]:
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
