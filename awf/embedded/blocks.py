"""Log records and spans on their way to the store, in the form it keeps: maps and lists as canonical JSON.

To who reads one it is a sequence of records or spans; whoever fills one spares their making.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from awf.embedded.model import LabelKey, LogRecord, Span, SpanEvent, SpanLink, key_of

EMPTY_OBJECT = "{}"
EMPTY_LIST = "[]"

SpanRow = tuple[str, str, str, str, int, int, int, int, str, str, str, str, str, str, str]
"""The fields of `Span` in their order; attributes, resource, events and links are JSON."""

_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def encode(value: Mapping[str, Any] | Sequence[Any] | str) -> str:
    """Return canonical JSON, so that equal metadata is equal text."""
    return _encode(value)


def member(name: str, value: Any) -> str:
    """Return what stands for one name in the canonical JSON of an object."""
    return f"{_encode(name)}:{_encode(value)}"


def joined(members: Mapping[str, str]) -> str:
    """Return the canonical JSON of an object from its members, each under its name."""
    return "{" + ",".join([members[name] for name in sorted(members)]) + "}"


def listed(items: Iterable[Iterable[str]]) -> str:
    """Return the canonical JSON of a list of lists of JSON."""
    return "[" + ",".join(f"[{','.join(item)}]" for item in items) + "]"


@dataclass(frozen=True, slots=True, eq=False)
class LogBlock(Sequence[LogRecord]):
    """Records as columns: record `i` is `lines[i]` of stream `keys[i]` with `metadata[i]`, which is JSON."""

    keys: list[LabelKey] = field(default_factory=list)
    timestamps_ns: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, records: Sequence[LogRecord]) -> LogBlock:
        """Return any sequence of records in this form."""
        if isinstance(records, LogBlock):
            return records
        return cls(
            [key_of(record.labels) for record in records],
            [record.timestamp_ns for record in records],
            [record.line for record in records],
            [encode(record.metadata) if record.metadata else EMPTY_OBJECT for record in records],
        )

    def add(self, key: LabelKey, timestamp_ns: int, line: str, metadata: str) -> None:
        self.keys.append(key)
        self.timestamps_ns.append(timestamp_ns)
        self.lines.append(line)
        self.metadata.append(metadata)

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> LogRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[LogRecord]: ...

    def __getitem__(self, index: int | slice) -> LogRecord | Sequence[LogRecord]:
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        return LogRecord(
            self.timestamps_ns[index],
            self.lines[index],
            dict(self.keys[index]),
            json.loads(self.metadata[index]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class SpanBlock(Sequence[Span]):
    """Spans as rows."""

    rows: list[SpanRow] = field(default_factory=list)

    @classmethod
    def of(cls, spans: Sequence[Span]) -> SpanBlock:
        """Return any sequence of spans in this form."""
        if isinstance(spans, SpanBlock):
            return spans
        # Spans of one export share their resource object: encode it once.
        resources = {id(span.resource): span.resource for span in spans}
        encoded = {key: encode(resource) for key, resource in resources.items()}
        return cls([_row(span, encoded[id(span.resource)]) for span in spans])

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Span: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Span]: ...

    def __getitem__(self, index: int | slice) -> Span | Sequence[Span]:
        return [*map(_span, self.rows[index])] if isinstance(index, slice) else _span(self.rows[index])


def _row(span: Span, resource: str) -> SpanRow:
    events = [[event.timestamp_ns, event.name, dict(event.attributes)] for event in span.events]
    links = [[link.trace_id, link.span_id, dict(link.attributes)] for link in span.links]
    return (
        span.trace_id, span.span_id, span.parent_span_id, span.name, span.kind, span.start_ns, span.end_ns,
        span.status, span.status_message, encode(span.attributes) if span.attributes else EMPTY_OBJECT, resource,
        span.scope_name, span.scope_version, encode(events) if events else EMPTY_LIST,
        encode(links) if links else EMPTY_LIST,
    )  # fmt: skip


def _span(row: SpanRow) -> Span:
    attributes, resource, scope_name, scope_version, events, links = row[9:]
    return Span(
        *row[:9],
        json.loads(attributes),
        json.loads(resource),
        scope_name,
        scope_version,
        [SpanEvent(*event) for event in json.loads(events)],
        [SpanLink(*link) for link in json.loads(links)],
    )
