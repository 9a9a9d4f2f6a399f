"""One OTLP request over gRPC."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from awf.orchestration.telemetry.endpoints import Endpoint
from awf.orchestration.telemetry.partial_success import complaint_of
from awf.orchestration.telemetry.senders import (
    CREDENTIALS,
    REJECTED,
    SERVER_ERROR,
    THROTTLED,
    TIMEOUT,
    TOO_LARGE,
    UNREACHABLE,
    WRONG_ENDPOINT,
    Undelivered,
)

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


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
        return complaint_of(self._endpoint.signal, answer)

    def close(self) -> None:
        channel, self._channel, self._call = self._channel, None, None  # two threads may close it at once
        if channel is not None:
            channel.close()

    def _connect(self) -> Any:
        endpoint = self._endpoint
        address = endpoint.url.partition("://")[2]
        compression = grpc.Compression.Gzip if endpoint.use_gzip else grpc.Compression.NoCompression
        # A collector that comes back is found within seconds, not within gRPC's two minutes.
        # A channel's connections are its own: gRPC would give the child of a fork its parent's, and what the two
        # write into one connection changes which method the other's requests seem to call.
        options = [("grpc.max_reconnect_backoff_ms", 5_000), ("grpc.use_local_subchannel_pool", 1)]
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
        with contextlib.suppress(DecodeError):  # a hint that cannot be read is no hint
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return float(info.retry_delay.ToTimedelta().total_seconds())
    return 0.0
