"""OTLP over gRPC: the three Export services on one address."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from awf.embedded.inlet import MAX_BODY_BYTES, RETRY_AFTER_S
from awf.embedded.otlp.receiver import Receiver
from awf.embedded.otlp.signals import SIGNALS, Signal
from awf.errors import AwfError, Overloaded, PortInUse, Unavailable

PORT_SETTING = "AWF_OTLP_GRPC_PORT"


class GrpcServer:
    """gRPC cannot take a bound socket, so this one binds for itself."""

    def __init__(self, receiver: Receiver, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", max_body_bytes),
                ("grpc.so_reuseport", 0),  # else a second process would silently share the port
            ]
        )
        for signal in SIGNALS:
            handlers = {"Export": grpc.unary_unary_rpc_method_handler(_export(receiver, signal))}
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(signal.service, handlers),)
            )

    async def start(self, host: str, port: int) -> int:
        """Listen and return the real port. Raises PortInUse."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError:
            bound = 0
        if bound == 0:
            raise PortInUse(
                f"port {port} ({PORT_SETTING}) is already in use on {host}",
                hint=f"Stop what listens there, or set {PORT_SETTING} to another port.",
            )
        await self._server.start()
        return int(bound)

    async def stop(self, grace_s: float) -> None:
        """Let running calls finish within `grace_s`, then cut them off."""
        await self._server.stop(grace_s)


def _export(receiver: Receiver, signal: Signal) -> Any:
    async def export(body: bytes, context: Any) -> bytes:
        try:
            answer = await receiver.export(signal, body)
        except AwfError as error:
            code = _status_code(error)
            await context.abort(code, error.message, _retry_details(code, error))
        return bytes(answer.SerializeToString())

    return export


def _status_code(error: AwfError) -> grpc.StatusCode:
    if isinstance(error, Overloaded):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    if isinstance(error, Unavailable):
        return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.INVALID_ARGUMENT


def _retry_details(code: grpc.StatusCode, error: AwfError) -> tuple[tuple[str, bytes], ...]:
    """Say when to retry: without RetryInfo, OTLP clients take RESOURCE_EXHAUSTED as final."""
    if not error.retryable:
        return ()
    detail = AnyMessage()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_S)))
    status = Status(code=code.value[0], message=error.message, details=[detail])
    return (("grpc-status-details-bin", status.SerializeToString()),)
