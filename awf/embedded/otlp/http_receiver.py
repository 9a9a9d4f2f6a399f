"""OTLP over HTTP: POST /v1/metrics, /v1/logs, /v1/traces, as protobuf or JSON, plain or gzip."""

from __future__ import annotations

import zlib

from google.protobuf.json_format import MessageToDict
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE
from google.rpc.status_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from awf.embedded.inlet import MAX_BODY_BYTES, RETRY_AFTER_S
from awf.embedded.otlp.receiver import Receiver
from awf.embedded.otlp.signals import SIGNALS, Signal
from awf.errors import AwfError, MalformedPayload, Overloaded, TooLarge, Unavailable

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def create_app(receiver: Receiver, *, max_body_bytes: int = MAX_BODY_BYTES) -> Starlette:
    """Return the receiver as an ASGI application."""
    transport = _Transport(receiver, max_body_bytes)
    routes = [Route(f"/v1/{signal.name}", transport.endpoint(signal), methods=["POST"]) for signal in SIGNALS]
    return Starlette(routes=routes)


class _UnsupportedMediaType(MalformedPayload):
    http_status = 415


class _Transport:
    def __init__(self, receiver: Receiver, max_body_bytes: int) -> None:
        self._receiver = receiver
        self._max_bytes = max_body_bytes

    def endpoint(self, signal: Signal):  # type: ignore[no-untyped-def]  # Starlette's own alias is untyped
        async def export(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            try:
                return await self._export(signal, request, kind)
            except AwfError as error:
                return _refusal(error, kind)
            except ClientDisconnect:
                return Response(status_code=400)

        return export

    async def _export(self, signal: Signal, request: Request, kind: str) -> Response:
        if kind not in {PROTOBUF, JSON}:
            raise _UnsupportedMediaType(f"Content-Type is {kind!r}, expected {PROTOBUF} or {JSON}")
        body = await self._body(request)
        answer = await self._receiver.export(signal, body, is_json=kind == JSON)
        if kind == JSON:
            return JSONResponse(MessageToDict(answer))
        return Response(answer.SerializeToString(), media_type=PROTOBUF)

    async def _body(self, request: Request) -> bytes:
        chunks = bytearray()
        async for chunk in request.stream():
            chunks += chunk
            self._bound(len(chunks))
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding == "identity":
            return bytes(chunks)
        if encoding != "gzip":
            raise _UnsupportedMediaType(f"Content-Encoding is {encoding!r}, expected gzip or none")
        return self._gunzip(bytes(chunks))

    def _gunzip(self, data: bytes) -> bytes:
        stream = zlib.decompressobj(wbits=31)
        try:
            # One byte more than allowed is enough to know; a bomb is never unpacked.
            plain = stream.decompress(data, self._max_bytes + 1)
        except zlib.error as error:
            raise MalformedPayload(f"the body is not gzip: {error}") from error
        self._bound(len(plain))
        if not stream.eof:
            raise MalformedPayload("the gzip body ends too early")
        return plain

    def _bound(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLarge(f"the body is over {self._max_bytes} bytes", hint="Send smaller batches.")


def _refusal(error: AwfError, kind: str) -> Response:
    """Return google.rpc.Status, in the encoding of the request as OTLP wants it."""
    code = UNAVAILABLE if isinstance(error, Unavailable) else INVALID_ARGUMENT
    status = Status(code=RESOURCE_EXHAUSTED if isinstance(error, Overloaded) else code, message=error.message)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.retryable else {}
    if kind == PROTOBUF:
        return Response(status.SerializeToString(), error.http_status, headers, PROTOBUF)
    return JSONResponse(MessageToDict(status), error.http_status, headers)
