"""One trace: what failed, where the time went, what it said."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ERROR_STATUS = (2, "STATUS_CODE_ERROR")


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """One span. Times are nanoseconds since the epoch."""

    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    is_error: bool = False
    message: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def duration_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


def spans(trace: Mapping[str, Any]) -> list[TraceSpan]:
    """Return the spans by start time, from mcp-grafana's form of a trace or from Tempo's OTLP JSON. Parts
    that look like neither are left out."""
    body = trace.get("trace", trace)
    found = [_read(_compact_span, span) for span in _list(body, "spans")]
    found += [
        _read(_span, span)
        for resource in (*_list(body, "resourceSpans"), *_list(body, "batches"))
        for scope in (*_list(resource, "scopeSpans"), *_list(resource, "instrumentationLibrarySpans"))
        for span in _list(scope, "spans")
    ]
    return sorted((span for span in found if span is not None), key=lambda span: span.start_ns)


def failing(found: Sequence[TraceSpan]) -> list[TraceSpan]:
    """Return the failed spans nearest to the cause: those without a failed child."""
    failed_parents = {span.parent_id for span in found if span.is_error}
    return [span for span in found if span.is_error and span.span_id not in failed_parents]


def self_times_ms(found: Sequence[TraceSpan]) -> dict[str, float]:
    """Return, by span id, the time in which no child of the span ran. Children may overlap."""
    children = _children(found)
    return {
        span.span_id: (span.end_ns - span.start_ns - _covered(span, children.get(span.span_id, ()))) / 1e6
        for span in found
    }


def slowest_path(found: Sequence[TraceSpan]) -> list[TraceSpan]:
    """Return the spans that kept the trace from ending sooner: from the root, always the child that ended last."""
    children = _children(found)
    ids = {span.span_id for span in found}
    roots = [span for span in found if span.parent_id not in ids]
    path: list[TraceSpan] = []
    current = max(roots, key=lambda span: span.end_ns - span.start_ns, default=None)
    while current is not None and current not in path:  # a loop of parents is possible in broken data
        path.append(current)
        current = max(children.get(current.span_id, ()), key=lambda span: span.end_ns, default=None)
    return path


def _children(found: Sequence[TraceSpan]) -> dict[str, list[TraceSpan]]:
    children: dict[str, list[TraceSpan]] = {}
    for span in found:
        if span.parent_id != span.span_id:
            children.setdefault(span.parent_id, []).append(span)
    return children


def _covered(span: TraceSpan, children: Sequence[TraceSpan]) -> int:
    covered, reached = 0, span.start_ns
    for child in sorted(children, key=lambda each: each.start_ns):
        begin, end = max(child.start_ns, reached), min(child.end_ns, span.end_ns)
        if end > begin:
            covered += end - begin
            reached = end
    return covered


def _list(body: object, key: str) -> list[Any]:
    found = body.get(key) if isinstance(body, Mapping) else None
    return found if isinstance(found, list) else []


def _read(form: Callable[[Mapping[str, Any]], TraceSpan], span: object) -> TraceSpan | None:
    try:
        return form(span) if isinstance(span, Mapping) else None
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None


def _span(span: Mapping[str, Any]) -> TraceSpan:
    status = span.get("status") or {}
    return TraceSpan(
        span_id=_id(span.get("spanId", "")),
        parent_id=_id(span.get("parentSpanId", "")),
        name=str(span.get("name", "")),
        start_ns=int(span.get("startTimeUnixNano", 0)),
        end_ns=int(span.get("endTimeUnixNano", 0)),
        is_error=status.get("code") in ERROR_STATUS,
        message=str(status.get("message") or _exception(span)),
        attributes=_attributes(span.get("attributes")),
    )


def _compact_span(span: Mapping[str, Any]) -> TraceSpan:
    start_ms = float(span.get("startTimeMs", 0))
    return TraceSpan(
        span_id=str(span.get("id", "")),
        parent_id=str(span.get("parentId", "")),
        name=str(span.get("name", "")),
        start_ns=int(start_ms * 1e6),
        end_ns=int((start_ms + float(span.get("durationMs", 0))) * 1e6),
        is_error=span.get("status") == "error",
        message=str(span.get("statusMessage") or _exception(span)),
        attributes=_attributes(span.get("attributes")),
    )


def _exception(span: Mapping[str, Any]) -> str:
    """Return what the span's last exception said."""
    said = [
        _attributes(event.get("attributes")).get("exception.message") for event in span.get("events") or ()
    ]
    return next((text for text in reversed(said) if text), "")


def _id(text: str) -> str:
    """Return a span id in hex; protobuf's JSON has it in base64."""
    if len(text) == 16 or not text:
        return text
    try:
        return base64.b64decode(text, validate=True).hex()
    except ValueError:
        return text


def _attributes(entries: object) -> dict[str, str]:
    if isinstance(entries, Mapping):
        return {str(key): str(value) for key, value in entries.items()}
    return dict(_pairs(entries)) if isinstance(entries, Sequence) else {}


def _pairs(entries: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        value = entry.get("value") or {}
        for held in value.values() if isinstance(value, Mapping) else ():
            yield str(entry.get("key", "")), str(held)
