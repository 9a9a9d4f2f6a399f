"""OTLP spans to spans, one to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from awf.embedded.intake import Intake
from awf.embedded.model import Span, SpanEvent, SpanLink
from awf.embedded.otlp import lazy
from awf.embedded.otlp.values import attributes, plain

_Request = lazy.with_bytes(ExportTraceServiceRequest, {lazy.RESOURCE, lazy.SCOPE, lazy.ATTRIBUTE})


class TracesDecoder:
    """Decodes requests; resources, scopes and short attributes that come again are read once."""

    def __init__(self) -> None:
        self._resource = lazy.read_once(_resource, count=512, longest=8192)
        self._scope = lazy.read_once(InstrumentationScope.FromString, count=512, longest=4096)
        self._attribute = lazy.read_once(_attribute, count=16_384, longest=256)

    def decode(self, body: bytes, intake: Intake) -> Intake:
        """Add the request's spans; one without proper ids or times is refused. Raises DecodeError."""
        for resource in _Request.FromString(body).resource_spans:
            described = self._resource(resource.resource)
            for group in resource.scope_spans:
                scope = self._scope(group.scope)
                for span in group.spans:
                    if _is_sound(intake, span):
                        self._add(intake, span, described, scope)
        return intake

    def _add(
        self, intake: Intake, span: Any, resource: Mapping[str, Any], scope: InstrumentationScope
    ) -> None:
        try:
            intake.spans.append(self._span(span, resource, scope))
        except DecodeError:
            intake.refuse(f"span {span.name!r} has attributes that cannot be read")

    def _span(self, span: Any, resource: Mapping[str, Any], scope: InstrumentationScope) -> Span:
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
            attributes=self._attributes(span.attributes),
            resource=resource,
            scope_name=scope.name,
            scope_version=scope.version,
            events=[
                SpanEvent(event.time_unix_nano, event.name, self._attributes(event.attributes))
                for event in span.events
            ],
            links=[
                SpanLink(link.trace_id.hex(), link.span_id.hex(), self._attributes(link.attributes))
                for link in span.links
            ],
        )

    def _attributes(self, parts: Iterable[bytes]) -> dict[str, Any]:
        return dict(map(self._attribute, parts))


def _attribute(part: bytes) -> tuple[str, Any]:
    pair = KeyValue.FromString(part)
    return pair.key, plain(pair.value)


def _resource(part: bytes) -> dict[str, Any]:
    return attributes(Resource.FromString(part).attributes)


def _is_sound(intake: Intake, span: Any) -> bool:
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
        intake.refuse(f"span {span.name!r}: a trace id has 16 bytes and a span id 8, not all zero")
        return False
    # An end before the start is kept as it came: clocks step, and the span still happened.
    if intake.has_time(span.start_time_unix_nano) and intake.has_time(span.end_time_unix_nano):
        return True
    what = f"span {span.name!r}"
    return intake.takes_time(span.start_time_unix_nano, what) and intake.takes_time(
        span.end_time_unix_nano, what
    )
