"""Requests as a fleet would send them, encoded before anything is timed: the rows of one and its bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import cramjam
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from awf.embedded.remote_write.wire import Label, TimeSeries, WriteRequest

STEP_NS = 15 * 10**9
SERIES = 10_000
BOUNDS = (
    5,
    10,
    25,
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
)
POINTS, LINES, SPANS = 2_000, 1_000, 512  # of one request
RESOURCE = {"service.name": "demo", "service.instance.id": "host-1", "service.version": "1.2"}

Payload = tuple[int, bytes]


def _attributes(message: Any, **values: str) -> None:
    for key, value in values.items():
        message.attributes.add(key=key).value.string_value = value


def _describe(resource: Any) -> None:
    for key, value in RESOURCE.items():
        resource.attributes.add(key=key).value.string_value = value


def _identity(number: int) -> dict[str, str]:
    return {
        "workflow_id": f"workflow-{number % 20}", "step_id": f"step-{number}", "agent_id": f"agent-{number % 50}",
        "framework": "langgraph", "status": "completed",
    }  # fmt: skip


def samples(count: int) -> Iterator[Payload]:
    """A counter of 10,000 series that goes on in time: every request has the next sample of 2,000 of them."""
    requests = [_counters(range(first, first + POINTS)) for first in range(0, SERIES, POINTS)]
    rounds = count // SERIES
    first_ns = time.time_ns() - rounds * STEP_NS
    for at in range(rounds):
        for request, points in requests:
            for number, point in enumerate(points):
                point.time_unix_nano = first_ns + at * STEP_NS
                point.as_double = at * 7.0 + number
            yield POINTS, request.SerializeToString()


def _counters(numbers: range) -> tuple[ExportMetricsServiceRequest, list[Any]]:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    _describe(resource.resource)
    metric = resource.scope_metrics.add().metrics.add(name="bench_tokens_total")
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = 2, True
    for number in numbers:
        _attributes(metric.sum.data_points.add(), **_identity(number))
    return request, list(metric.sum.data_points)


def remote(count: int) -> Iterator[Payload]:
    """The same counter as remote write sends it."""
    packed = [
        [Label(name=name, value=value).SerializeToString() for name, value in sorted(labels.items())]
        for labels in (
            {"__name__": "bench_tokens_total", "job": "demo", **_identity(n)} for n in range(SERIES)
        )
    ]
    rounds = count // SERIES
    first_ms = time.time_ns() // 1_000_000 - rounds * STEP_NS // 1_000_000
    for at in range(rounds):
        for first in range(0, SERIES, POINTS):
            request = WriteRequest()
            for number, labels in enumerate(packed[first : first + POINTS]):
                series = TimeSeries(labels=labels)
                series.samples.add(timestamp=first_ms + at * STEP_NS // 1_000_000, value=at * 7.0 + number)
                request.timeseries.append(series.SerializeToString())
            yield POINTS, bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def histograms(count: int) -> Iterator[Payload]:
    """Histograms of 16 bounds, of 500 steps: 19 samples a point."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    _describe(resource.resource)
    metric = resource.scope_metrics.add().metrics.add(name="bench_duration_ms")
    metric.histogram.aggregation_temporality = 2
    for number in range(500):
        point = metric.histogram.data_points.add(explicit_bounds=BOUNDS)
        _attributes(point, **_identity(number))
    size = 500 * (len(BOUNDS) + 3)
    rounds = count // size
    first_ns = time.time_ns() - rounds * STEP_NS
    for at in range(rounds):
        for point in metric.histogram.data_points:
            point.time_unix_nano, point.count, point.sum = first_ns + at * STEP_NS, at * 17, at * 900.0
            point.bucket_counts[:] = [at] * (len(BOUNDS) + 1)
        yield size, request.SerializeToString()


def lines(count: int) -> Iterator[Payload]:
    """Log records of one service, each with four attributes of which one is new in every record."""
    first_ns = time.time_ns() - count * 1_000
    for first in range(0, count, LINES):
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        _describe(resource.resource)
        scope = resource.scope_logs.add()
        scope.scope.name = "awf"
        for n in range(first, first + LINES):
            record = scope.log_records.add(
                time_unix_nano=first_ns + n * 1_000, severity_number=9, severity_text="INFO",
                trace_id=os.urandom(16), span_id=os.urandom(8),
            )  # fmt: skip
            record.body.string_value = f"step step-{n % 100} of report completed in {n % 977} ms"
            _attributes(
                record, execution_id=f"exe_{n // 14:016x}", workflow_id=f"workflow-{n % 20}",
                step_id=f"step-{n % 100}", agent_id=f"agent-{n % 50}",
            )  # fmt: skip
        yield LINES, request.SerializeToString()


def spans(count: int) -> Iterator[Payload]:
    """Traces of seven spans, each span with six attributes."""
    first_ns = time.time_ns() - count * 1_000
    for first in range(0, count - SPANS + 1, SPANS):
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        _describe(resource.resource)
        scope = resource.scope_spans.add()
        scope.scope.name = "awf"
        for n in range(first, first + SPANS):
            root = n - n % 7
            start = first_ns + n * 1_000
            span = scope.spans.add(
                trace_id=(root + 1).to_bytes(16, "big"), span_id=(n + 1).to_bytes(8, "big"), name="awf.step",
                parent_span_id=b"" if n == root else (root + 1).to_bytes(8, "big"), kind=1,
                start_time_unix_nano=start, end_time_unix_nano=start + n % 977 * 1_000_000,
            )  # fmt: skip
            _attributes(span, execution_id=f"exe_{n // 7:016x}", **_identity(n % 500))
        yield SPANS, request.SerializeToString()


KINDS: dict[str, Callable[[int], Iterator[Payload]]] = {
    "samples": samples, "remote": remote, "histograms": histograms, "lines": lines, "spans": spans,
}  # fmt: skip
