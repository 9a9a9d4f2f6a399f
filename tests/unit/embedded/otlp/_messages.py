"""Short ways to write OTLP messages."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from awf.embedded.intake import Intake
from awf.embedded.otlp.logs import LogsDecoder
from awf.embedded.otlp.metrics import MetricsDecoder
from awf.embedded.otlp.traces import TracesDecoder

NOW_NS = 1_795_000_000 * 10**9
NOW_MS = NOW_NS // 10**6
CUMULATIVE, DELTA = 2, 1
RESOURCE = {"service.namespace": "shop", "service.name": "cart", "service.instance.id": "i-1", "region": "eu"}


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes(value)}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    return {} if value is None else {"stringValue": value}


def point(
    value: float | None = None, *, at_ns: int = NOW_NS, own: dict[str, Any] | None = None, **more: Any
) -> Any:
    found = {"timeUnixNano": at_ns, "attributes": attributes(own or {}), **more}
    return found if value is None else {**found, "asDouble": value}


def metrics(*items: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportMetricsServiceRequest:
    described = {"attributes": attributes(RESOURCE if resource is None else resource)}
    body = {"resourceMetrics": [{"resource": described, "scopeMetrics": [{"metrics": list(items)}]}]}
    return ParseDict(body, ExportMetricsServiceRequest())


def logs(*records: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportLogsServiceRequest:
    described = {"attributes": attributes(RESOURCE if resource is None else resource)}
    scope = {"scope": {"name": "awf"}, "logRecords": list(records)}
    return ParseDict(
        {"resourceLogs": [{"resource": described, "scopeLogs": [scope]}]}, ExportLogsServiceRequest()
    )


def traces(*spans: dict[str, Any]) -> ExportTraceServiceRequest:
    described = {"attributes": attributes(RESOURCE)}
    scope = {"scope": {"name": "awf", "version": "1"}, "spans": list(spans)}
    return ParseDict(
        {"resourceSpans": [{"resource": described, "scopeSpans": [scope]}]}, ExportTraceServiceRequest()
    )


def span(**more: Any) -> dict[str, Any]:
    """Ids are protobuf's base64 here: sixteen times 0x11 and eight times 0x22."""
    return {
        "traceId": "EREREREREREREREREREREQ==",
        "spanId": "IiIiIiIiIiI=",
        "name": "work",
        "kind": 1,
        "startTimeUnixNano": NOW_NS - 1000,
        "endTimeUnixNano": NOW_NS,
        **more,
    }


DECODERS = {
    ExportMetricsServiceRequest: MetricsDecoder,
    ExportLogsServiceRequest: LogsDecoder,
    ExportTraceServiceRequest: TracesDecoder,
}


def decode(request: Any) -> Intake:
    """Return what a decoder without memories makes of a request that came in at NOW_NS."""
    return DECODERS[type(request)]().decode(request.SerializeToString(), Intake(NOW_NS))
