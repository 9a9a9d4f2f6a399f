"""OTLP spans to spans, one to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from awf.embedded.blocks import EMPTY_LIST, SpanRow, encode, joined, listed, member
from awf.embedded.intake import Intake
from awf.embedded.otlp import lazy
from awf.embedded.otlp.memory import Memory
from awf.embedded.otlp.values import attributes, plain

_Request = lazy.with_bytes(ExportTraceServiceRequest, {lazy.RESOURCE, lazy.SCOPE, lazy.ATTRIBUTE})
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


class TracesDecoder:
    """Decodes requests; resources, scopes and short attributes that come again are read once."""

    def __init__(self) -> None:
        self._resource = Memory(_resource, count=512, longest=8192)
        self._scope = Memory(_scope, count=512, longest=4096)
        self._member = Memory(_member, count=16_384, longest=256)

    def decode(self, body: bytes, intake: Intake) -> Intake:
        """Add the request's spans; one without proper ids or times is refused. Raises DecodeError."""
        for resource in _Request.FromString(body).resource_spans:
            described = self._resource[resource.resource]
            for group in resource.scope_spans:
                scope = self._scope[group.scope]
                for span in group.spans:
                    if _is_sound(intake, span):
                        self._add(intake, span, described, scope)
        return intake

    def _add(self, intake: Intake, span: Any, resource: str, scope: tuple[str, str]) -> None:
        try:
            intake.spans.rows.append(self._row(span, resource, scope))
        except DecodeError:
            intake.refuse(f"span {span.name!r} has attributes that cannot be read")

    def _row(self, span: Any, resource: str, scope: tuple[str, str]) -> SpanRow:
        kind, code = span.kind, span.status.code
        return (
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.name,
            # Enums are open on the wire: what this version does not know is "unspecified".
            kind if 0 <= kind <= 5 else 0,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            code if 0 <= code <= 2 else 0,
            span.status.message,
            self._attributes(span.attributes),
            resource,
            *scope,
            self._events(span.events) if span.events else EMPTY_LIST,
            self._links(span.links) if span.links else EMPTY_LIST,
        )

    def _attributes(self, parts: Iterable[bytes]) -> str:
        return joined(dict(map(self._member.__getitem__, parts)))

    def _events(self, events: Iterable[Any]) -> str:
        return listed(
            [str(event.time_unix_nano), encode(event.name), self._attributes(event.attributes)]
            for event in events
        )

    def _links(self, links: Iterable[Any]) -> str:
        return listed(
            [encode(link.trace_id.hex()), encode(link.span_id.hex()), self._attributes(link.attributes)]
            for link in links
        )


def _member(part: bytes) -> tuple[str, str]:
    pair = KeyValue.FromString(part)
    return pair.key, member(pair.key, plain(pair.value))


def _resource(part: bytes) -> str:
    return encode(attributes(Resource.FromString(part).attributes))


def _scope(part: bytes) -> tuple[str, str]:
    scope = InstrumentationScope.FromString(part)
    return scope.name, scope.version


def _is_sound(intake: Intake, span: Any) -> bool:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or len(span_id) != 8 or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        intake.refuse(f"span {span.name!r}: a trace id has 16 bytes and a span id 8, not all zero")
        return False
    # An end before the start is kept as it came: clocks step, and the span still happened.
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    if intake.has_time(start_ns) and intake.has_time(end_ns):
        return True
    what = f"span {span.name!r}"
    return intake.takes_time(start_ns, what) and intake.takes_time(end_ns, what)
