"""The three OTLP services: their messages, and how bytes become rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces_pb

from awf.embedded.intake import Intake
from awf.embedded.otlp.json_ids import read_json
from awf.embedded.otlp.logs import LogsDecoder
from awf.embedded.otlp.metrics import MetricsDecoder
from awf.embedded.otlp.traces import TracesDecoder
from awf.errors import MalformedPayload


class Decoder(Protocol):
    """Reads requests of one signal, from one thread; may remember what it has seen."""

    def decode(self, body: bytes, intake: Intake) -> Intake:
        """Add a request's rows to `intake` and return it. Raises DecodeError."""
        ...


@dataclass(frozen=True, slots=True)
class Signal:
    """One service; `rejected` is the field of its partial success that counts what was refused."""

    name: str
    service: str
    request: type[Any]
    response: type[Any]
    decoder: Callable[[], Decoder]
    rejected: str

    def decode(self, decoder: Decoder, body: bytes, is_json: bool, intake: Intake) -> Intake:
        """Return the rows of a request. Raises MalformedPayload with the reason."""
        try:
            if is_json:
                request = ParseDict(read_json(body), self.request(), ignore_unknown_fields=True)
                body = request.SerializeToString()
            return decoder.decode(body, intake)
        except (DecodeError, ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            # ParseDict answers JSON of the wrong shape with any of these.
            raise MalformedPayload(
                f"the body is not an OTLP {self.name} request: {error}",
                hint="Send the protobuf message, or its JSON form with Content-Type application/json.",
            ) from error

    def answer(self, intake: Intake) -> Any:
        """Return the response, with a partial success when entries were refused."""
        response = self.response()
        if intake.refused:
            setattr(response.partial_success, self.rejected, intake.refused)
            response.partial_success.error_message = intake.message
        return response


METRICS = Signal(
    "metrics", "opentelemetry.proto.collector.metrics.v1.MetricsService",
    metrics_pb.ExportMetricsServiceRequest, metrics_pb.ExportMetricsServiceResponse,
    MetricsDecoder, "rejected_data_points",
)  # fmt: skip
LOGS = Signal(
    "logs", "opentelemetry.proto.collector.logs.v1.LogsService",
    logs_pb.ExportLogsServiceRequest, logs_pb.ExportLogsServiceResponse,
    LogsDecoder, "rejected_log_records",
)  # fmt: skip
TRACES = Signal(
    "traces", "opentelemetry.proto.collector.trace.v1.TraceService",
    traces_pb.ExportTraceServiceRequest, traces_pb.ExportTraceServiceResponse,
    TracesDecoder, "rejected_spans",
)  # fmt: skip
SIGNALS = (METRICS, LOGS, TRACES)
