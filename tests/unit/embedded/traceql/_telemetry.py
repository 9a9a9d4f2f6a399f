"""Seeded traces with everything that TraceQL can ask for, as the OTLP that a sender would send."""

from __future__ import annotations

import random
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from awf.embedded import model
from awf.embedded.intake import Intake
from awf.embedded.otlp.traces import TracesDecoder

MS = 1_000_000
SECOND = 1_000 * MS
SPREAD_NS = 300 * SECOND
"""The spans start in the five minutes after the time that is given."""
SERVICES = ("gateway", "agents", "billing")
NAMES = ("awf.workflow", "awf.step", "awf.agent.invoke", "chat small", "GET /bills")
AGENTS = ("searcher", "writer", "critic")


def export_request(seed: int, t0_ns: int, traces: int) -> ExportTraceServiceRequest:
    """Return the traces in one request, one resource a service and trace."""
    pick = random.Random(seed)
    request = ExportTraceServiceRequest()
    known: list[tuple[bytes, bytes]] = []
    for _ in range(traces):
        _trace(pick, t0_ns + pick.randrange(SPREAD_NS - 30 * SECOND), request, known)
    return request


def stored(request: ExportTraceServiceRequest, now_ns: int) -> list[model.Span]:
    """Return the request's spans as the embedded receiver reads them; none may be refused."""
    intake = TracesDecoder().decode(request.SerializeToString(), Intake(now_ns))
    assert not intake.refused, intake.message
    return intake.spans


def _trace(
    pick: random.Random, at_ns: int, request: ExportTraceServiceRequest, known: list[tuple[bytes, bytes]]
) -> None:
    trace_id = pick.randbytes(16) if pick.random() < 0.8 else bytes(6) + pick.randbytes(10)
    resources: dict[str, ResourceSpans] = {}
    ids: list[bytes] = []
    for number in range(pick.choice((1, 3, 5, 8, 13))):
        service = SERVICES[0] if number == 0 else pick.choice(SERVICES)
        if service not in resources:
            resources[service] = _resource(pick, service, request)
        parent = b"" if number == 0 else pick.choice(ids)
        if number > 1 and pick.random() < 0.06:
            parent = pick.randbytes(8)  # a parent that is never sent
        start = at_ns + number * 37 * MS + pick.randrange(30 * MS)
        span = _span(pick, trace_id, parent, number, start)
        if known and pick.random() < 0.15:
            other, other_span = pick.choice(known)
            attributes = _attributes({"kind": pick.choice(("retry", "fallback"))})
            span.links.add(trace_id=other, span_id=other_span, attributes=attributes)
        resources[service].scope_spans[0].spans.append(span)
        ids.append(span.span_id)
    known.append((trace_id, ids[0]))


def _resource(pick: random.Random, service: str, request: ExportTraceServiceRequest) -> ResourceSpans:
    described = {"service.name": service, "replicas": pick.randint(1, 3), "shared": f"resource-{service}"}
    if pick.random() < 0.7:
        described["deployment.environment.name"] = pick.choice(("prod", "dev"))
    found = request.resource_spans.add(resource=Resource(attributes=_attributes(described)))
    scope = found.scope_spans.add().scope
    scope.name, scope.version = pick.choice((("awf", "0.1.0"), ("awf", "0.2.0"), ("http", "1.0")))
    return found


def _span(pick: random.Random, trace_id: bytes, parent: bytes, number: int, start: int) -> Span:
    own: dict[str, Any] = {}
    for name, choices in (
        ("agent_id", AGENTS),
        ("attempt", (1, 2, 3)),
        ("tokens", (0, 1, 7, 100, 250, 4096)),
        ("cost_usd", (0.0, 0.25, 0.5, 1.75)),
        ("dry_run", (True, False)),
        ("tags", (["a"], ["a", "b"], ["c"])),
        ("sizes", ([1, 2], [5])),
        ("shared", ("span-1", "span-2")),
        ("mixed", (1, 2.5, "two", True)),
    ):
        if pick.random() < 0.55:
            own[name] = pick.choice(choices)
    kind = pick.randint(0, 5)
    code = pick.choice((0, 0, 1, 2))
    duration = pick.choice((0, 1_500, 3 * MS, 40 * MS, 900 * MS, 2 * SECOND, 7 * SECOND)) + number * 1_001
    span = Span(
        trace_id=trace_id,
        span_id=pick.randbytes(8),
        parent_span_id=parent,
        name=NAMES[0] if number == 0 else pick.choice(NAMES[1:]),
        kind=kind,  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=start + duration,
        attributes=_attributes(own),
        status=Status(code=code, message="gave up" if code == 2 and number % 2 else ""),  # type: ignore[arg-type]
    )
    for index in range(pick.choice((0, 0, 0, 1, 2))):
        event: dict[str, Any] = {"code": pick.choice((429, 500))}
        if pick.random() < 0.6:
            event["exception.type"] = pick.choice(("RateLimited", "Timeout"))
        span.events.add(
            name=pick.choice(("exception", "retry")),
            time_unix_nano=start + (index + 1) * 2 * MS,
            attributes=_attributes(event),
        )
    return span


def _attributes(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any(value)) for key, value in values.items()]


def _any(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(string_value=value)
