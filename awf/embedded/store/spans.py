"""Reading spans."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from awf.embedded.blocks import EMPTY_LIST, EMPTY_OBJECT
from awf.embedded.model import (
    Span,
    SpanCell,
    SpanCondition,
    SpanEvent,
    SpanGroup,
    SpanLink,
    SpanTest,
    TraceRef,
)
from awf.embedded.store.cursors import Cursors
from awf.embedded.store.span_filter import Condition, condition, group_column

MAX_SPANS = 500_000
MAX_TRACES = 1_000_000
FEW = 0.3
MAX_CELLS = 400_000
MAX_COUNTED = 20_000_000
MAX_REPEATED = 50_000

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

    def traces(self, start_ns: int, end_ns: int, where: Sequence[SpanCondition] = ()) -> list[TraceRef]:
        conditions = [condition(part) for part in where]
        in_time = Condition("start_ns <= ? and (start_ns >= ? or end_ns >= ?)", (end_ns, start_ns, start_ns))
        if not conditions or self._are_few(in_time):
            first, then = [in_time], conditions
        else:
            first, then = conditions, [in_time]
        among = " and ".join(f"trace_id in (select trace_id from spans where {part.sql})" for part in first)
        also = " and ".join(f"bool_or({part.sql})" for part in then) or "true"
        found = self._cursors.rows(
            f"select trace_id, min(start_ns), max(start_ns), count(*) from spans where {among}"
            f" group by trace_id having {also} order by min(start_ns) desc, trace_id",
            [value for part in (*first, *then) for value in part.values],
            limit=MAX_TRACES,
            what="traces",
        )
        return [TraceRef(*row) for row in found]

    def _are_few(self, rows: Condition) -> bool:
        """Tell whether it pays to look at these rows before others: texts cost more to look at than times."""
        ((few, every),) = self._cursors.rows(
            f"select count(*) filter (where {rows.sql}), count(*) from spans",
            rows.values,
            limit=1,
            what="counts",
        )
        return bool(few < every * FEW)

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
        also = "".join(f" and ({part.sql})" for part in chosen)
        rows = Condition(
            f"spans where start_ns > {start_ns:d} and start_ns <= {end_ns:d}{also}",
            tuple(value for part in chosen for value in part.values),
        )
        keys = [group_column(name) for name in columns] + [condition(test) for test in tests]
        bucket = f"(start_ns - {start_ns:d} - 1) // {bucket_ns:d}"
        parts = self._once(rows, [Condition(bucket), Condition("end_ns - start_ns"), *keys])
        names = [f"c{index}" for index in range(2, len(keys) + 2)]
        by = "".join(f", {name}" for name in names)
        found = self._cursors.rows(
            f"select list(row(c0, spans, shortest, longest, total)){by} from (select c0, count(*) as spans,"
            f" min(c1) as shortest, max(c1) as longest, sum(c1)::double as total{by}"
            f" from ({' union all '.join(part.sql for part in parts)}) group by c0{by} limit {MAX_CELLS + 1})"
            " group by all having count(*) > 0",
            [value for part in parts for value in part.values],
            limit=MAX_CELLS,
            what="groups of spans",
        )
        if sum(len(cells) for cells, *_ in found) > MAX_CELLS:
            return None
        return [SpanGroup(tuple(values), list(map(SpanCell._make, cells))) for cells, *values in found]

    def _once(self, rows: Condition, columns: Sequence[Condition]) -> list[Condition]:
        """Return queries of columns c0, c1, ... that together have every span once, also those that were sent twice.
        Only spans that share a hash of their ids are looked at closely, where they are cheap to find."""
        values = [value for column in columns for value in column.values]
        named = ", ".join(f"{column.sql} as c{index}" for index, column in enumerate(columns))
        any_of = ", ".join(f"any_value({column.sql}) as c{index}" for index, column in enumerate(columns))
        hashes = self._cursors.columns(
            f"select hash(trace_id, span_id) as h from {rows.sql}",
            rows.values,
            limit=MAX_COUNTED,
            what="spans",
        )["h"]
        hashes.sort()
        repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        if len(repeated) > MAX_REPEATED:
            return [
                Condition(
                    f"select {any_of} from {rows.sql} group by trace_id, span_id", (*values, *rows.values)
                )
            ]
        if not len(repeated):
            return [Condition(f"select {named} from {rows.sql}", (*values, *rows.values))]
        among = "hash(trace_id, span_id) in (select unnest(?::ubigint[]))"
        used = (*values, *rows.values, repeated.tolist())
        return [
            Condition(f"select {named} from {rows.sql} and not {among}", used),
            Condition(f"select {any_of} from {rows.sql} and {among} group by trace_id, span_id", used),
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
