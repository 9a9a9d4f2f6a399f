"""How a request becomes an answer: parameters in, Prometheus' JSON envelope or its error shape out."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from awf.embedded.promql.parameters import Parameters
from awf.embedded.promql.wire import encode_notes
from awf.embedded.query_pool import QueryPool
from awf.errors import (
    AwfError,
    InvalidInput,
    QueryCancelled,
    QueryError,
    QueryTimeout,
    TooLarge,
    Unavailable,
    UnsupportedQuery,
)

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024

Answer = tuple[str, list[str]]
"""The JSON text of `data`, and warnings."""

Call = Callable[[Parameters], Answer]
Endpoint = Callable[[Request], Awaitable[Response]]


def plain(data: object) -> Answer:
    return json.dumps(data, ensure_ascii=False), []


def limited_list(items: list[Any], parameters: Parameters) -> Answer:
    """Answer at most `limit` items and say when there are more."""
    limit = parameters.count("limit")
    if limit and len(items) > limit:
        return json.dumps(items[:limit], ensure_ascii=False), ["results truncated due to limit"]
    return plain(items)


def endpoint(call: Call) -> Endpoint:
    """Answer at once, in the event loop: for what reads nothing from the store."""

    async def run(_: Request, parameters: Parameters) -> Answer:
        return call(parameters)

    return _answering(run)


def queued_endpoint(call: Call, queries: QueryPool) -> Endpoint:
    """Answer from a thread, within the parameter `timeout` and the pool's own."""

    async def run(request: Request, parameters: Parameters) -> Answer:
        timeout_s = parameters.duration_ms("timeout") / 1000 if parameters.text("timeout") else None
        return await queries.run(lambda: call(parameters), request.receive, timeout_s)

    return _answering(run)


def _answering(run: Callable[[Request, Parameters], Awaitable[Answer]]) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            data, warnings = await run(request, await _parameters(request))
        except AwfError as error:
            return _failure(*_classified(error), _text(error))
        except Exception:  # the API's boundary: clients get Prometheus' error shape, the log the cause
            logger.exception("prometheus api failed", extra={"path": request.url.path})
            return _failure(500, "internal", "internal error, see the log of the embedded backend")
        return _json(200, f'{{"status":"success","data":{data}{encode_notes(warnings)}}}')

    return answer


async def _parameters(request: Request) -> Parameters:
    """Read the form, then the address; the path's parts win over both."""
    values: dict[str, list[str]] = {}
    if request.method == "POST":
        values = _fields((await _body(request)).decode(errors="replace"))
    for name, items in _fields(request.url.query).items():
        values.setdefault(name, []).extend(items)
    values.update({name: [str(value)] for name, value in request.path_params.items()})
    return Parameters(values)


def _fields(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise InvalidInput(f"the parameters cannot be read: {error}") from error


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"the form is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _classified(error: AwfError) -> tuple[int, str]:
    """Return Prometheus' status and error type."""
    match error:
        case UnsupportedQuery() | InvalidInput():
            return 400, "bad_data"
        case QueryError():
            return 422, "execution"
        case TooLarge():
            return 413, "bad_data"
        case QueryTimeout():
            return 503, "timeout"
        case QueryCancelled():
            return 499, "canceled"
        case Unavailable():
            return 503, "unavailable"
        case _:
            return 500, "internal"


def _text(error: AwfError) -> str:
    return f"{error.message}. {error.hint}" if error.hint else error.message


def _failure(status: int, kind: str, message: str) -> Response:
    return _json(status, json.dumps({"status": "error", "errorType": kind, "error": message}))


def _json(status: int, text: str) -> Response:
    return Response(text, status_code=status, media_type="application/json")
