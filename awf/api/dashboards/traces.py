"""A trace as Tempo answers it, as rows for a page: in the order of its tree, each span with its place in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from awf.api.dashboards.board import member, objects, text
from awf.core.types import Json

MAX_SPANS: Final = 1_000
MAX_DEPTH: Final = 40
MAX_VALUE_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span. `start` and `width` are thousandths of the trace's length."""

    id: str
    parent_id: str
    name: str
    service: str
    start_ns: int
    end_ns: int
    is_error: bool
    message: str
    attributes: tuple[tuple[str, str], ...]
    depth: int = 0
    start: float = 0.0
    width: float = 0.0

    @property
    def duration_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6

    def attribute(self, name: str) -> str:
        return dict(self.attributes).get(name, "")


@dataclass(frozen=True, slots=True)
class Trace:
    """The rows of a trace; `total` counts all its spans, of which at most MAX_SPANS are rows."""

    spans: tuple[SpanRow, ...]
    total: int

    @property
    def duration_ms(self) -> float:
        return (max(s.end_ns for s in self.spans) - self.start_ns) / 1e6

    @property
    def start_ns(self) -> int:
        return min(span.start_ns for span in self.spans)


def read_trace(answer: Json) -> Trace | None:
    """Return a trace from Tempo's JSON (v1 or v2), None for one without spans."""
    found = list(_spans(member(answer, "trace") or answer))
    if not found:
        return None
    first, last = min(span.start_ns for span in found), max(span.end_ns for span in found)
    length = max(1, last - first)
    rows = tuple(
        replace(
            span,
            start=(span.start_ns - first) * 1000 / length,
            width=max(2.0, (span.end_ns - span.start_ns) * 1000 / length),
        )
        for span in _in_tree_order(found)[:MAX_SPANS]
    )
    return Trace(rows, len(found))


def _spans(trace: Json) -> Iterator[SpanRow]:
    for batch in objects(trace.get("resourceSpans")) or objects(trace.get("batches")):
        resource = dict(_attributes(member(batch, "resource")))
        for scope in objects(batch.get("scopeSpans")):
            for span in objects(scope.get("spans")):
                status = member(span, "status")
                yield SpanRow(
                    id=text(span, "spanId"),
                    parent_id=text(span, "parentSpanId"),
                    name=text(span, "name") or "span without a name",
                    service=resource.get("service.name", ""),
                    start_ns=_whole(span.get("startTimeUnixNano")),
                    end_ns=max(_whole(span.get("endTimeUnixNano")), _whole(span.get("startTimeUnixNano"))),
                    is_error=status.get("code") in ("STATUS_CODE_ERROR", 2),
                    message=text(status, "message")[:MAX_VALUE_CHARS],
                    attributes=tuple(_attributes(span)),
                )


def _in_tree_order(spans: list[SpanRow]) -> list[SpanRow]:
    """Return parents before their children, siblings by time; a span whose parent is missing is a root."""
    known = {span.id for span in spans}
    children: dict[str, list[SpanRow]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: (each.start_ns, -each.end_ns)):
        is_root = span.parent_id not in known or span.parent_id == span.id
        children["" if is_root else span.parent_id].append(span)
    ordered: list[SpanRow] = []
    seen: set[str] = set()
    waiting = [(span, 0) for span in reversed(children[""])]
    while waiting:
        span, depth = waiting.pop()
        if span.id in seen:
            continue
        seen.add(span.id)
        ordered.append(replace(span, depth=min(depth, MAX_DEPTH)))
        waiting += [(child, depth + 1) for child in reversed(children[span.id])]
    return ordered


def _attributes(owner: Json) -> Iterator[tuple[str, str]]:
    for each in sorted(objects(owner.get("attributes")), key=lambda found: str(found.get("key"))):
        yield str(each.get("key", ""))[:200], _value(member(each, "value"))


def _value(value: Json) -> str:
    found: Any = next(iter(value.values()), "")
    shown = str(found).lower() if isinstance(found, bool) else str(found)
    return shown if len(shown) <= MAX_VALUE_CHARS else f"{shown[:MAX_VALUE_CHARS]}…"


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
