"""One OTLP request over gRPC or HTTP, and what an answer means for the telemetry in it."""

from __future__ import annotations

import contextlib
import email.utils
import gzip
import time
from collections.abc import Mapping
from typing import Any, Protocol

from awf.errors import MissingDependency
from awf.orchestration.telemetry.endpoints import Endpoint

try:
    import grpc
    import requests
    from google.rpc import error_details_pb2, status_pb2
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
except ImportError as error:
    raise MissingDependency(
        f"the OpenTelemetry exporter needs {error.name}, which is not installed",
        hint="pip install 'awf[otel]'",
    ) from error

UNREACHABLE, TIMEOUT, THROTTLED, SERVER_ERROR = "unreachable", "timeout", "throttled", "server_error"
CREDENTIALS, WRONG_ENDPOINT, TOO_LARGE, REJECTED = "credentials", "wrong_endpoint", "too_large", "rejected"

_RESPONSES: dict[str, Any] = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


class Undelivered(Exception):
    """A request was not taken. `reason` is one of the words above."""

    def __init__(self, reason: str, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:300]
        self.retry_after_s = retry_after_s


class Sender(Protocol):
    """Sends requests of one signal, from one thread."""

    def send(self, request: bytes, limit_s: float) -> str:
        """Take `limit_s` or the endpoint's timeout at most. Return what the collector complains of although it
        took the request, or nothing. Raises Undelivered."""
        ...

    def close(self) -> None: ...


def sender_for(endpoint: Endpoint) -> Sender:
    """Return a sender; it connects when it first sends."""
    return GrpcSender(endpoint) if endpoint.protocol == "grpc" else HttpSender(endpoint)


def _complaint(signal: str, answer: bytes) -> str:
    """Return what a partial success says."""
    try:
        partial = _RESPONSES[signal].FromString(answer).partial_success
    except Exception:  # protobuf's decode errors have no common public class; the request itself was taken
        return ""
    rejected = sum(value for field, value in partial.ListFields() if field.name.startswith("rejected_"))
    return f"{rejected} items rejected: {partial.error_message}" if rejected else str(partial.error_message)


class GrpcSender:
    """OTLP over gRPC."""

    _REASONS: Mapping[Any, str] = {
        grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED: TIMEOUT,
        grpc.StatusCode.UNAUTHENTICATED: CREDENTIALS,
        grpc.StatusCode.PERMISSION_DENIED: CREDENTIALS,
        grpc.StatusCode.UNIMPLEMENTED: WRONG_ENDPOINT,
        grpc.StatusCode.NOT_FOUND: WRONG_ENDPOINT,
        grpc.StatusCode.INVALID_ARGUMENT: REJECTED,
        grpc.StatusCode.FAILED_PRECONDITION: REJECTED,
    }

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._channel: Any = None
        self._call: Any = None

    def send(self, request: bytes, limit_s: float) -> str:
        timeout_s = min(limit_s, self._endpoint.timeout_s)
        try:
            call = self._call or self._connect()
            answer = call(request, timeout=timeout_s, metadata=self._endpoint.headers)
        except grpc.RpcError as error:
            raise self._undelivered(error) from error
        # A certificate that cannot be read, a channel closed meanwhile.
        except (OSError, ValueError) as error:
            raise Undelivered(UNREACHABLE, str(error)) from error
        return _complaint(self._endpoint.signal, answer)

    def close(self) -> None:
        channel, self._channel, self._call = self._channel, None, None  # two threads may close it at once
        if channel is not None:
            channel.close()

    def _connect(self) -> Any:
        endpoint = self._endpoint
        address = endpoint.url.partition("://")[2]
        compression = grpc.Compression.Gzip if endpoint.use_gzip else grpc.Compression.NoCompression
        # A collector that comes back is found within seconds, not within gRPC's two minutes.
        options = [("grpc.max_reconnect_backoff_ms", 5_000)]
        if endpoint.is_secure:
            files = (endpoint.certificate, endpoint.client_key, endpoint.client_certificate)
            roots, key, chain = (path.read_bytes() if path else None for path in files)
            credentials = grpc.ssl_channel_credentials(roots, key, chain)
            self._channel = grpc.secure_channel(address, credentials, options, compression)
        else:
            self._channel = grpc.insecure_channel(address, options, compression)
        self._call = self._channel.unary_unary(_METHODS[endpoint.signal])
        return self._call

    def _undelivered(self, error: Any) -> Undelivered:
        code, detail = error.code(), str(error.details())
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            reason = TOO_LARGE if "larger than max" in detail else THROTTLED
        else:
            reason = self._REASONS.get(code, SERVER_ERROR)
        return Undelivered(reason, f"{code.name}: {detail}", _retry_delay(error))


def _retry_delay(error: Any) -> float:
    """Return the seconds that google.rpc.RetryInfo asks for."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        with contextlib.suppress(Exception):  # a hint that cannot be read is no hint
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return float(info.retry_delay.ToTimedelta().total_seconds())
    return 0.0


class HttpSender:
    """OTLP over HTTP with protobuf bodies."""

    _REASONS: Mapping[int, str] = {401: CREDENTIALS, 403: CREDENTIALS, 404: WRONG_ENDPOINT, 405: WRONG_ENDPOINT, 408: TIMEOUT,
                413: TOO_LARGE, 429: THROTTLED, 502: UNREACHABLE, 503: UNREACHABLE, 504: TIMEOUT}  # fmt: skip

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session = requests.Session()
        self._session.headers.update({"content-type": "application/x-protobuf", **dict(endpoint.headers)})
        if endpoint.use_gzip:
            self._session.headers["content-encoding"] = "gzip"
        # Given with each request: the session's own would be overruled by REQUESTS_CA_BUNDLE.
        self._verify = str(endpoint.certificate) if endpoint.certificate else None
        if endpoint.client_certificate and endpoint.client_key:
            self._session.cert = (str(endpoint.client_certificate), str(endpoint.client_key))

    def send(self, request: bytes, limit_s: float) -> str:
        timeout_s = min(limit_s, self._endpoint.timeout_s)
        body = gzip.compress(request, compresslevel=1) if self._endpoint.use_gzip else request
        try:
            answer = self._session.post(
                self._endpoint.url, data=body, timeout=timeout_s, verify=self._verify, allow_redirects=False
            )
        except requests.Timeout as error:
            raise Undelivered(TIMEOUT, str(error)) from error
        # requests' own errors, a certificate that cannot be read, a host that is no name.
        except (OSError, ValueError) as error:
            raise Undelivered(UNREACHABLE, str(error)) from error
        if answer.status_code < 300:
            return _complaint(self._endpoint.signal, answer.content)
        raise Undelivered(
            self._reason(answer.status_code),
            f"HTTP {answer.status_code}: {answer.text[:200]}",
            _retry_after(answer.headers.get("retry-after", "")),
        )

    def close(self) -> None:
        self._session.close()

    def _reason(self, status: int) -> str:
        if status in self._REASONS:
            return self._REASONS[status]
        if status < 400:
            return WRONG_ENDPOINT
        return REJECTED if status < 500 else SERVER_ERROR


def _retry_after(text: str) -> float:
    """Return the seconds that a Retry-After header asks for, in either of its forms."""
    if text.isdecimal():
        return float(text)
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0
