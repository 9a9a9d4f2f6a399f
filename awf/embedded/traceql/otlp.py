"""Stored spans back to OTLP, in protobuf, in Tempo's JSON, and in its short form for language models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status, TracesData
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from awf.embedded.model import Span
from awf.embedded.traceql.traces import SERVICE_NAME

Json = dict[str, Any]


def to_traces(spans: Iterable[Span]) -> TracesData:
    """Return the spans grouped by resource and scope, in the order in which these first appear."""
    traces = TracesData()
    resources: dict[str, ResourceSpans] = {}
    scopes: dict[tuple[str, str, str], ScopeSpans] = {}
    for span in spans:
        resource_key = repr(sorted(span.resource.items()))
        scope_key = (resource_key, span.scope_name, span.scope_version)
        if resource_key not in resources:
            resources[resource_key] = traces.resource_spans.add()
            resources[resource_key].resource.attributes.extend(_attributes(span.resource))
        if scope_key not in scopes:
            scopes[scope_key] = resources[resource_key].scope_spans.add()
            scopes[scope_key].scope.name = span.scope_name
            scopes[scope_key].scope.version = span.scope_version
        scopes[scope_key].spans.append(_span(span))
    return traces


def to_json(spans: Iterable[Span]) -> list[Json]:
    """Return Tempo's JSON of the resources' spans: ids in base64, enums by name, as protobuf's JSON has it."""
    body: Json = MessageToDict(to_traces(spans))
    found: list[Json] = body.get("resourceSpans", [])
    return found


def to_model_json(spans: Sequence[Span]) -> Json:
    """Return the short form that Tempo gives for `Accept: application/vnd.grafana.llm`."""
    services: dict[str, Json] = {}
    scopes: dict[tuple[str, str, str], Json] = {}
    for span in spans:
        resource_key = repr(sorted(span.resource.items()))
        scope_key = (resource_key, span.scope_name, span.scope_version)
        if resource_key not in services:
            rest = _plain(span.resource)
            service = {"serviceName": rest.pop(SERVICE_NAME, ""), "resource": rest}
            services[resource_key] = _without_empty(service) | {"scopes": []}
        if scope_key not in scopes:
            scope = _without_empty({"name": span.scope_name, "version": span.scope_version})
            scopes[scope_key] = scope | {"spans": []}
            services[resource_key]["scopes"].append(scopes[scope_key])
        scopes[scope_key]["spans"].append(_model_span(span))
    return {"traceId": spans[0].trace_id, "services": list(services.values())}


def _model_span(span: Span) -> Json:
    events = [
        {"name": event.name, "timeUnixNano": str(event.timestamp_ns)}
        | _without_empty({"attributes": _plain(event.attributes)})
        for event in span.events
    ]
    links = [
        {"traceId": link.trace_id, "spanId": link.span_id}
        | _without_empty({"attributes": _plain(link.attributes)})
        for link in span.links
    ]
    short = {
        "parentSpanId": span.parent_span_id,
        "kind": _enum_name(OtlpSpan.SpanKind, span.kind) if span.kind else "",
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "durationMs": span.duration_ns / 1_000_000,
        "attributes": _plain(span.attributes),
        "events": events,
        "links": links,
    }
    status = {"code": _enum_name(Status.StatusCode, span.status), "message": span.status_message}
    return {"spanId": span.span_id, "name": span.name} | _without_empty(short) | {"status": status}


def _enum_name(enum: Any, number: int) -> str:
    return str(enum.Name(number)) if number in enum.values() else str(number)


def _plain(value: Any) -> Any:
    """Return a JSON value: bytes in hexadecimal, numbers that JSON does not have in words."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _without_empty(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value}


def _span(span: Span) -> OtlpSpan:
    return OtlpSpan(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_span_id),
        name=span.name,
        kind=cast("OtlpSpan.SpanKind.ValueType", span.kind),
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        attributes=_attributes(span.attributes),
        events=[
            OtlpSpan.Event(
                time_unix_nano=event.timestamp_ns, name=event.name, attributes=_attributes(event.attributes)
            )
            for event in span.events
        ],
        links=[
            OtlpSpan.Link(
                trace_id=bytes.fromhex(link.trace_id),
                span_id=bytes.fromhex(link.span_id),
                attributes=_attributes(link.attributes),
            )
            for link in span.links
        ],
        status=Status(code=cast("Status.StatusCode.ValueType", span.status), message=span.status_message),
    )


def _attributes(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()]


def _any_value(value: object) -> AnyValue:
    result = AnyValue()
    if isinstance(value, bool):
        result.bool_value = value
    elif isinstance(value, int):
        result.int_value = value
    elif isinstance(value, float):
        result.double_value = value
    elif isinstance(value, bytes):
        result.bytes_value = value
    elif isinstance(value, Mapping):
        result.kvlist_value.values.extend(_attributes(value))
    elif isinstance(value, (list, tuple)):
        result.array_value.values.extend(_any_value(item) for item in value)
    elif value is not None:
        result.string_value = str(value)
    return result
