"""What a collector complains of in an answer that took the request."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

_RESPONSES: dict[str, Any] = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}


def complaint_of(signal: str, answer: bytes) -> str:
    """Return what a partial success says."""
    try:
        partial = _RESPONSES[signal].FromString(answer).partial_success
    except DecodeError:  # the request itself was taken
        return ""
    rejected = sum(value for field, value in partial.ListFields() if field.name.startswith("rejected_"))
    return f"{rejected} items rejected: {partial.error_message}" if rejected else str(partial.error_message)
