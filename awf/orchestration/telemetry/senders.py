"""What sends OTLP requests, and what an answer means for the telemetry in one.

gRPC and HTTP are loaded only where an endpoint speaks them, and then whole, before the exporter's thread starts: a fork
while that thread imports a module leaves the child half of it, for ever.
"""

from __future__ import annotations

from typing import Protocol

from awf.errors import MissingDependency
from awf.orchestration.telemetry.endpoints import Endpoint

UNREACHABLE, TIMEOUT, THROTTLED, SERVER_ERROR = "unreachable", "timeout", "throttled", "server_error"
CREDENTIALS, WRONG_ENDPOINT, TOO_LARGE, REJECTED = "credentials", "wrong_endpoint", "too_large", "rejected"


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


class Unwanted:
    """The sender of a signal that nobody wants: it takes everything and keeps nothing."""

    def send(self, request: bytes, limit_s: float) -> str:
        return ""

    def close(self) -> None:
        pass


def sender_for(endpoint: Endpoint) -> Sender:
    """Return a sender; it connects when it first sends. Raises MissingDependency."""
    if not endpoint.is_wanted:
        return Unwanted()
    try:
        if endpoint.protocol == "grpc":
            from awf.orchestration.telemetry.grpc_sender import GrpcSender

            return GrpcSender(endpoint)
        from awf.orchestration.telemetry.http_sender import HttpSender

        return HttpSender(endpoint)
    except ImportError as error:
        raise MissingDependency(
            f"the OpenTelemetry exporter needs {error.name}, which is not installed",
            hint="pip install 'awf[otel]'",
        ) from error
