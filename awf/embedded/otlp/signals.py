"""The three OTLP services: their messages, and how bytes become rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces_pb

from awf.embedded.otlp import logs, metrics, traces
from awf.embedded.otlp.json_ids import read_json
from awf.embedded.otlp.rows import Rows
from awf.errors import MalformedPayload


@dataclass(frozen=True, slots=True)
class Signal:
    """One service; `rejected` is the field of its partial success that counts what was refused."""

    name: str
    service: str
    request: type[Any]
    response: type[Any]
    to_rows: Callable[[Any, int], Rows]
    rejected: str

    def decode(self, body: bytes, *, is_json: bool, now_ns: int) -> Rows:
        """Return the rows of a request. Raises MalformedPayload with the reason."""
        request = self.request()
        try:
            if is_json:
                ParseDict(read_json(body), request, ignore_unknown_fields=True)
            else:
                request.ParseFromString(body)
            return self.to_rows(request, now_ns)
        except (DecodeError, ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            # ParseDict answers JSON of the wrong shape with any of these.
            raise MalformedPayload(
                f"the body is not an OTLP {self.name} request: {error}",
                hint="Send the protobuf message, or its JSON form with Content-Type application/json.",
            ) from error

    def answer(self, rows: Rows) -> Any:
        """Return the response, with a partial success when entries were refused."""
        response = self.response()
        if rows.refused:
            setattr(response.partial_success, self.rejected, rows.refused)
            response.partial_success.error_message = rows.message
        return response


METRICS = Signal(
    "metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService",
    metrics_pb.ExportMetricsServiceRequest, metrics_pb.ExportMetricsServiceResponse,
    metrics.decode, "rejected_data_points",
)  # fmt: skip
LOGS = Signal(
    "logs", "opentelemetry.proto.collector.logs.v1.LogsService",
    logs_pb.ExportLogsServiceRequest, logs_pb.ExportLogsServiceResponse,
    logs.decode, "rejected_log_records",
)  # fmt: skip
TRACES = Signal(
    "traces", "opentelemetry.proto.collector.trace.v1.TraceService",
    traces_pb.ExportTraceServiceRequest, traces_pb.ExportTraceServiceResponse,
    traces.decode, "rejected_spans",
)  # fmt: skip
SIGNALS = (METRICS, LOGS, TRACES)
