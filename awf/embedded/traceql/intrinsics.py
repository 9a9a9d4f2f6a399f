"""The values of intrinsics, by the thing that has them: spans, traces, events, links, scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from awf.embedded.model import Span, SpanEvent, SpanLink
from awf.embedded.traceql.fields import intrinsic
from awf.embedded.traceql.nodes import Field
from awf.embedded.traceql.traces import SpanView, TraceView
from awf.embedded.traceql.values import KINDS, STATUSES, Duration, Kind, Status, Value
from awf.errors import QueryError


def _known(name: str) -> Field:
    field = intrinsic(name)
    if field is None:
        raise QueryError(f"unknown intrinsic {name}")
    return field


def status_of(span: Span) -> Status:
    return STATUSES[span.status] if 0 <= span.status < len(STATUSES) else Status.UNSET


def kind_of(span: Span) -> Kind:
    return KINDS[span.kind] if 0 <= span.kind < len(KINDS) else Kind.UNSPECIFIED


def _trace(name: str, get: Callable[[TraceView], Value]) -> tuple[Field, Callable[[Any], Value]]:
    return _known(name), get


SPAN_VALUES: Final[Mapping[Field, Callable[[SpanView], Value]]] = {
    _known("duration"): lambda view: Duration(view.span.duration_ns),
    _known("kind"): lambda view: kind_of(view.span),
    _known("name"): lambda view: view.span.name,
    _known("span:childCount"): lambda view: view.child_count,
    _known("span:id"): lambda view: view.span.span_id,
    _known("span:parentID"): lambda view: view.span.parent_span_id or "0" * 16,
    _known("status"): lambda view: status_of(view.span),
    _known("statusMessage"): lambda view: view.span.status_message,
}
TRACE_VALUES: Final[Mapping[Field, Callable[[TraceView], Value]]] = {
    _known("rootName"): lambda trace: trace.root_name,
    _known("rootServiceName"): lambda trace: trace.root_service,
    _known("trace:id"): lambda trace: trace.trace_id,
    _known("traceDuration"): lambda trace: trace.duration,
}
SCOPE_VALUES: Final[Mapping[Field, Callable[[SpanView], Value]]] = {
    _known("instrumentation:name"): lambda view: view.span.scope_name,
    _known("instrumentation:version"): lambda view: view.span.scope_version,
}
EVENT_VALUES: Final[Mapping[Field, Callable[[SpanEvent, Span], Value]]] = {
    _known("event:name"): lambda event, span: event.name,
    _known("event:timeSinceStart"): lambda event, span: Duration(event.timestamp_ns - span.start_ns),
}
LINK_VALUES: Final[Mapping[Field, Callable[[SpanLink, Span], Value]]] = {
    _known("link:spanID"): lambda link, span: link.span_id,
    _known("link:traceID"): lambda link, span: link.trace_id.lstrip("0"),
}
