"""POST of remote write on the paths of Mimir and of Prometheus."""

from __future__ import annotations

from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from awf.embedded.inlet import MAX_BODY_BYTES, RETRY_AFTER_S, Inlet
from awf.embedded.remote_write.decoder import RemoteWriteDecoder
from awf.embedded.remote_write.wire import unpacked_size
from awf.errors import AwfError, MalformedPayload, Overloaded, TooLarge

PATHS = ("/api/v1/push", "/api/v1/write", "/prometheus/api/v1/write")
PROTOBUF = "application/x-protobuf"


class _UnsupportedMediaType(MalformedPayload):
    http_status = 415


def create_routes(inlet: Inlet) -> list[Route]:
    """Return the routes; they have one decoder."""
    decoder = RemoteWriteDecoder()

    async def write(request: Request) -> Response:
        try:
            return await _write(request, inlet, decoder)
        except AwfError as error:
            return _refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)

    return [Route(path, write, methods=["POST"]) for path in PATHS]


async def _write(request: Request, inlet: Inlet, decoder: RemoteWriteDecoder) -> Response:
    _check_headers(request)
    body = await _body(request)
    decode = partial(decoder.decode, body)
    size = unpacked_size(body)
    intake = await inlet.take(decode, size_bytes=len(body) + size, protocol="remote write")
    if intake.refused:
        stored = f"{len(intake.series)} samples are stored"
        return PlainTextResponse(f"{intake.refused} samples refused: {intake.message}; {stored}\n", 400)
    return Response(status_code=204)


def _check_headers(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "")
    if encoding.lower() != "snappy":
        raise _UnsupportedMediaType(f"Content-Encoding is {encoding!r:.60}, expected snappy")
    kind, *parameters = [part.strip() for part in request.headers.get("content-type", PROTOBUF).split(";")]
    version = request.headers.get("x-prometheus-remote-write-version", "0.1.0")
    message = next((part[6:] for part in parameters if part.startswith("proto=")), "prometheus.WriteRequest")
    if kind.lower() != PROTOBUF:
        raise _UnsupportedMediaType(f"Content-Type is {kind!r:.60}, expected {PROTOBUF}")
    if message != "prometheus.WriteRequest" or not version.startswith(("0.1.", "1.")):
        raise _UnsupportedMediaType(
            f"remote write {version:.20} with {message:.60} is not supported",
            hint="Send remote write 1.0: prometheus.WriteRequest, which Prometheus sends unless told otherwise.",
        )


async def _body(request: Request) -> bytes:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            raise TooLarge(f"the body is over {MAX_BODY_BYTES} bytes", hint="Send smaller batches.")
    return bytes(chunks)


def _refusal(error: AwfError) -> Response:
    """Return text, as senders log it. Prometheus sends again after 503 always, after 429 only when told to."""
    status = 503 if isinstance(error, Overloaded) else error.http_status
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.retryable else {}
    return PlainTextResponse(f"{error.message}. {error.hint}".strip() + "\n", status, headers)
