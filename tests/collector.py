"""An OTLP collector for tests, over gRPC or HTTP, in threads of its own. It keeps what it gets and can be
told to be slow, to refuse, or to cut connections."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
GRPC_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


@dataclass(frozen=True)
class Refusal:
    """An answer that takes nothing. `status` is that of HTTP; over gRPC it is translated. 0 cuts the line."""

    status: int
    retry_after_s: float = 0.0
    detail: str = "refused by the test"


GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT, 401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED, 429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL, 503: grpc.StatusCode.UNAVAILABLE, 0: grpc.StatusCode.UNAVAILABLE,
}  # fmt: skip

Rule = Callable[[str, Any], Refusal | None]


@dataclass
class Collector:
    """What arrived, in order. `rule` sees each request first and may refuse it; `delay_s` is waited."""

    protocol: str = "grpc"
    rule: Rule = lambda signal, request: None
    delay_s: float = 0.0
    answer: bytes = b""
    spans: list[Any] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    metric_requests: list[Any] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    port: int = 0
    tls: tuple[Path, Path] | None = None  # private key and certificate

    def start(self) -> Collector:
        """Listen; again at the same port after `stop`."""
        if self.protocol == "grpc":
            self._server: Any = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
            self._server.add_generic_rpc_handlers([_GrpcHandler(self)])
            address = f"127.0.0.1:{self.port}"
            if self.tls:
                key, certificate = (path.read_bytes() for path in self.tls)
                credentials = grpc.ssl_server_credentials([(key, certificate)])
                self.port = self._server.add_secure_port(address, credentials)
            else:
                self.port = self._server.add_insecure_port(address)
            self._server.start()
        else:
            self._server = _HttpServer(("127.0.0.1", self.port), _handler(self))
            self.port = self._server.server_address[1]
            if self.tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.tls[1], self.tls[0])
                self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self.protocol == "grpc":
            self._server.stop(0).wait(5)
        else:
            self._server.shutdown()
            self._server.server_close()

    def __enter__(self) -> Collector:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def take(self, signal: str, body: bytes, headers: dict[str, str]) -> Refusal | None:
        request = REQUESTS[signal].FromString(body)
        self.requests[signal] += 1
        self.headers.append(headers)
        if self.delay_s:
            time.sleep(self.delay_s)
        refusal = self.rule(signal, request)
        if refusal is None:
            self._keep(signal, request)
        return refusal

    def _keep(self, signal: str, request: Any) -> None:
        if signal == "traces":
            self.spans += [s for r in request.resource_spans for c in r.scope_spans for s in c.spans]
            groups = request.resource_spans
        elif signal == "logs":
            self.logs += [g for r in request.resource_logs for c in r.scope_logs for g in c.log_records]
            groups = request.resource_logs
        else:
            self.metric_requests.append(request)
            for group in request.resource_metrics:
                self.metrics |= {m.name: m for c in group.scope_metrics for m in c.metrics}
            groups = request.resource_metrics
        self.resources += [{a.key: a.value.string_value for a in g.resource.attributes} for g in groups]

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """Return a metric's series as it was sent last: its labels' values -> value, or count."""
        metric = self.metrics[name]
        data = getattr(metric, metric.WhichOneof("data"))
        return {
            tuple(a.value.string_value for a in point.attributes):
                point.count if metric.HasField("histogram") else point.as_double
            for point in data.data_points
        }  # fmt: skip


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class _GrpcHandler(grpc.GenericRpcHandler):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def service(self, details: Any) -> Any:
        signal = next((name for name, method in GRPC_METHODS.items() if method == details.method), None)
        if signal is None:
            return None

        def export(body: bytes, context: Any) -> bytes:
            headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            refusal = self._collector.take(signal, body, headers)
            if refusal is None:
                return self._collector.answer
            if refusal.retry_after_s:
                info, delay = AnyMessage(), Duration()
                delay.FromMilliseconds(int(refusal.retry_after_s * 1000))
                info.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
                status = status_pb2.Status(code=8, message=refusal.detail, details=[info])
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(GRPC_CODES[refusal.status], refusal.detail)
            raise AssertionError("abort raises")

        return grpc.unary_unary_rpc_method_handler(export)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are part of the tests."""


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            import gzip

            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            signal = self.path.rpartition("/")[2]
            refusal = collector.take(signal, body, {k.lower(): v for k, v in self.headers.items()})
            if refusal is not None and refusal.status == 0:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            answer = collector.answer if refusal is None else refusal.detail.encode()
            self.send_response(200 if refusal is None else refusal.status)
            if refusal is not None and refusal.retry_after_s:
                self.send_header("retry-after", f"{refusal.retry_after_s:.0f}")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    return Handler
