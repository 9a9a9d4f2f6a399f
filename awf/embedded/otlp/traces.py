"""OTLP spans to spans, one to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1 import trace_pb2 as pb

from awf.embedded.model import Span, SpanEvent, SpanLink
from awf.embedded.otlp.rows import Rows
from awf.embedded.otlp.values import attributes


def decode(request: ExportTraceServiceRequest, now_ns: int) -> Rows:
    """Return the request's spans. One without proper ids or times is refused."""
    rows = Rows(now_ns)
    for resource in request.resource_spans:
        described = attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            rows.spans += [
                _span(span, described, scope.scope) for span in scope.spans if _is_sound(rows, span)
            ]
    return rows


def _is_sound(rows: Rows, span: pb.Span) -> bool:
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
        rows.refuse(f"span {span.name!r}: a trace id has 16 bytes and a span id 8, not all zero")
        return False
    # An end before the start is kept as it came: clocks step, and the span still happened.
    what = f"span {span.name!r}"
    return rows.takes_time(span.start_time_unix_nano, what) and rows.takes_time(span.end_time_unix_nano, what)


def _span(span: pb.Span, resource: Mapping[str, Any], scope: InstrumentationScope) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        # Enums are open on the wire: what this version does not know is "unspecified".
        kind=span.kind if 0 <= span.kind <= 5 else 0,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code if 0 <= span.status.code <= 2 else 0,
        status_message=span.status.message,
        attributes=attributes(span.attributes),
        resource=resource,
        scope_name=scope.name,
        scope_version=scope.version,
        events=[
            SpanEvent(event.time_unix_nano, event.name, attributes(event.attributes)) for event in span.events
        ],
        links=[
            SpanLink(link.trace_id.hex(), link.span_id.hex(), attributes(link.attributes))
            for link in span.links
        ],
    )
