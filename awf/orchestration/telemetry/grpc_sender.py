"""One OTLP request over gRPC."""

from __future__ import annotations

import base64
import contextlib
import gzip
import ssl
import struct
import time
from collections.abc import Mapping
from enum import IntEnum
from urllib.parse import unquote

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from h2.errors import ErrorCodes

from awf.orchestration.telemetry.endpoints import Endpoint
from awf.orchestration.telemetry.http2 import Answer, Http2Connection, StreamReset
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
_PREFIX = struct.Struct(">?I")  # of a message: is it compressed, how many bytes has it


class Code(IntEnum):
    """gRPC's status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_REASONS: Mapping[Code, str] = {
    Code.UNAVAILABLE: UNREACHABLE,
    Code.DEADLINE_EXCEEDED: TIMEOUT,
    Code.UNAUTHENTICATED: CREDENTIALS,
    Code.PERMISSION_DENIED: CREDENTIALS,
    Code.UNIMPLEMENTED: WRONG_ENDPOINT,
    Code.NOT_FOUND: WRONG_ENDPOINT,
    Code.INVALID_ARGUMENT: REJECTED,
    Code.FAILED_PRECONDITION: REJECTED,
}

# What an answer without gRPC's status means, by its HTTP status; and what a broken request means, by HTTP/2's
# error code. https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md and PROTOCOL-HTTP2.md
_BY_HTTP_STATUS: Mapping[str, Code] = {
    "400": Code.INTERNAL, "401": Code.UNAUTHENTICATED, "403": Code.PERMISSION_DENIED, "404": Code.UNIMPLEMENTED,
    "429": Code.UNAVAILABLE, "502": Code.UNAVAILABLE, "503": Code.UNAVAILABLE, "504": Code.UNAVAILABLE,
}  # fmt: skip
_BY_RESET: Mapping[int, Code] = {
    ErrorCodes.REFUSED_STREAM: Code.UNAVAILABLE, ErrorCodes.CANCEL: Code.CANCELLED,
    ErrorCodes.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED, ErrorCodes.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
}  # fmt: skip


class GrpcSender:
    """OTLP over gRPC. The connection stays open between requests."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._path = _METHODS[endpoint.signal]
        self._connection: Http2Connection | None = None

    def send(self, request: bytes, limit_s: float) -> str:
        timeout_s = min(limit_s, self._endpoint.timeout_s)
        try:
            answer = self._post(request, timeout_s)
        except TimeoutError as error:
            self.close()
            raise _undelivered(Code.DEADLINE_EXCEEDED, str(error)) from error
        except StreamReset as error:
            raise _undelivered(_BY_RESET.get(error.code, Code.INTERNAL), str(error)) from error
        # No connection, one that broke or was closed meanwhile, a certificate that cannot be read.
        except (OSError, ValueError) as error:
            self.close()
            raise _undelivered(Code.UNAVAILABLE, str(error)) from error
        code, detail = _status(answer)
        if code is not Code.OK:
            raise _undelivered(code, detail, _retry_delay(answer))
        return complaint_of(self._endpoint.signal, _message(answer))

    def close(self) -> None:
        connection, self._connection = self._connection, None  # two threads may close it at once
        if connection is not None:
            connection.close()

    def _post(self, request: bytes, timeout_s: float) -> Answer:
        give_up_at = time.monotonic() + timeout_s
        connection = self._connection
        if connection is None or not connection.is_usable:
            self.close()
            context = _context(self._endpoint) if self._endpoint.is_secure else None
            connection = self._connection = Http2Connection(self._endpoint.url, context, timeout_s)
        left_s = give_up_at - time.monotonic()
        headers = [
            ("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "awf"),
            ("grpc-timeout", f"{max(1, int(left_s * 1000))}m"), *self._endpoint.headers,
        ]  # fmt: skip
        if self._endpoint.use_gzip:
            request = gzip.compress(request, compresslevel=1)
            headers.append(("grpc-encoding", "gzip"))
        body = _PREFIX.pack(self._endpoint.use_gzip, len(request)) + request
        return connection.post(self._path, headers, body, left_s)


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.certificate)
    context.set_alpn_protocols(["h2"])
    if endpoint.client_certificate and endpoint.client_key:
        context.load_cert_chain(endpoint.client_certificate, endpoint.client_key)
    return context


def _status(answer: Answer) -> tuple[Code, str]:
    headers = answer.headers
    if (told := headers.get("grpc-status", "")).isdecimal() and int(told) in list(Code):
        return Code(int(told)), unquote(headers.get("grpc-message", ""))
    http_status = headers.get(":status", "")
    return _BY_HTTP_STATUS.get(http_status, Code.UNKNOWN), f"HTTP status {http_status} and none of gRPC's"


def _message(answer: Answer) -> bytes:
    if len(answer.body) < _PREFIX.size:
        return b""
    is_compressed, size = _PREFIX.unpack_from(answer.body)
    message = bytes(answer.body[_PREFIX.size : _PREFIX.size + size])
    return b"" if is_compressed else message  # we ask for no compression; only a complaint could be in it


def _undelivered(code: Code, detail: str, retry_after_s: float = 0.0) -> Undelivered:
    if code is Code.RESOURCE_EXHAUSTED:
        reason = TOO_LARGE if "larger than max" in detail else THROTTLED
    else:
        reason = _REASONS.get(code, SERVER_ERROR)
    return Undelivered(reason, f"{code.name}: {detail}", retry_after_s)


def _retry_delay(answer: Answer) -> float:
    """Return the seconds that google.rpc.RetryInfo asks for."""
    told = answer.headers.get("grpc-status-details-bin", "")
    with contextlib.suppress(DecodeError, ValueError):  # a hint that cannot be read is no hint
        status = status_pb2.Status.FromString(base64.b64decode(told + "=" * (-len(told) % 4)))
        for detail in status.details:
            info = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.ToTimedelta().total_seconds())
    return 0.0
