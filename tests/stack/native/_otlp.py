"""Numbered telemetry as raw OTLP, so that a test knows exactly what was acknowledged and looks for exactly that."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

SECOND = 10**9
METRIC = "outage_test_number"


def attributes(**values: str) -> list[KeyValue]:
    return [
        KeyValue(key=key.replace("__", "."), value=AnyValue(string_value=value))
        for key, value in values.items()
    ]


def trace_id(service: str, number: int) -> bytes:
    return hashlib.sha256(f"{service} {number}".encode()).digest()[:16]


def log(service: str, number: int, at_ns: int, *, body: str = "", **more: str) -> Any:
    """Return a request with one log record."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add(resource=Resource(attributes=attributes(service__name=service)))
    group.scope_logs.add().log_records.add(
        time_unix_nano=at_ns, severity_number=9, severity_text="INFO",
        body=AnyValue(string_value=body or f"number {number}"),
        attributes=attributes(level="info", number=str(number), **more),
    )  # fmt: skip
    return request


def span(service: str, number: int, at_ns: int, *, name: str = "numbered", **more: str) -> Any:
    """Return a request with one root span."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=Resource(attributes=attributes(service__name=service)))
    own = trace_id(service, number)
    group.scope_spans.add().spans.add(
        trace_id=own, span_id=own[:8], name=name, kind=1, start_time_unix_nano=at_ns,
        end_time_unix_nano=at_ns + SECOND // 100, attributes=attributes(number=str(number), **more),
    )  # fmt: skip
    return request


def gauge(service: str, number: int, at_ns: int) -> Any:
    """Return a request with one sample whose value is the number."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add(resource=Resource(attributes=attributes(service__name=service)))
    metric = group.scope_metrics.add().metrics.add(name=METRIC)
    metric.gauge.data_points.add(time_unix_nano=at_ns, as_double=float(number))
    return request


BUILDERS = {"logs": log, "traces": span, "metrics": gauge}


@dataclass(slots=True)
class Sender:
    """Posts numbered items of one signal to an OTLP/HTTP address and keeps which were acknowledged."""

    url: str
    signal: str
    service: str
    acknowledged: list[int] = field(default_factory=list)
    refused: int = 0

    def send(self, numbers: Iterable[int], *, pause_s: float = 0.0) -> None:
        """Send each number once, stamped with now; what is not acknowledged is nobody's promise."""
        with httpx.Client(timeout=10) as http:
            for number in numbers:
                self._post(http, BUILDERS[self.signal](self.service, number, time.time_ns()), number)
                # Two samples of one series need two times.
                time.sleep(pause_s or (0.002 if self.signal == "metrics" else 0.0))

    def send_at(self, number: int, at_ns: int) -> None:
        """Send one number with a time of its own."""
        with httpx.Client(timeout=10) as http:
            self._post(http, BUILDERS[self.signal](self.service, number, at_ns), number)

    def _post(self, http: httpx.Client, request: Any, number: int) -> None:
        if post(http, self.url, self.signal, request):
            self.acknowledged.append(number)
        else:
            self.refused += 1


def post(http: httpx.Client, url: str, signal: str, request: Any, **headers: str) -> bool:
    """Post a request; whether it was acknowledged."""
    content = request.SerializeToString()
    headers = {"content-type": "application/x-protobuf", **headers}
    try:
        return http.post(f"{url}/v1/{signal}", content=content, headers=headers).status_code == 200
    except httpx.HTTPError:
        return False
