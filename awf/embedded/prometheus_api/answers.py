"""How a request becomes an answer: parameters in, Prometheus' JSON envelope or its error shape out."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from awf.embedded.answer_cache import AnswerCache
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

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON text of `data`, and warnings. It stays the answer until a sample of `until_ms` or older is written;
    None: not even as long as that."""

    data: str
    warnings: Sequence[str] = ()
    until_ms: int | None = None

    @property
    def body(self) -> bytes:
        return f'{{"status":"success","data":{self.data}{encode_notes(self.warnings)}}}'.encode()


Call = Callable[[Parameters], Answer]
Endpoint = Callable[[Request], Awaitable[Response]]


def plain(data: object, *, until_ms: int | None = None) -> Answer:
    return Answer(json.dumps(data, ensure_ascii=False), until_ms=until_ms)


def limited_list(items: list[Any], parameters: Parameters, *, until_ms: int | None = None) -> Answer:
    """Answer at most `limit` items and say when there are more."""
    limit = parameters.count("limit")
    if limit and len(items) > limit:
        text = json.dumps(items[:limit], ensure_ascii=False)
        return Answer(text, ["results truncated due to limit"], until_ms)
    return plain(items, until_ms=until_ms)


def endpoint(call: Call) -> Endpoint:
    """Answer at once, in the event loop: for what reads nothing from the store."""

    async def run(request: Request) -> bytes:
        return call(_parameters(request, await _form(request))).body

    return _answering(run)


def queued_endpoint(call: Call, queries: QueryPool, answers: AnswerCache) -> Endpoint:
    """Answer from memory, or from a thread, within the parameter `timeout` and the pool's own."""

    async def run(request: Request) -> bytes:
        form = await _form(request)
        question = (call, *request.path_params.items(), request.scope["query_string"], form)
        if (kept := answers.get(question)) is not None:
            return kept
        parameters = _parameters(request, form)
        timeout_s = parameters.duration_ms("timeout") / 1000 if parameters.text("timeout") else None

        def evaluate() -> tuple[bytes, int | None]:
            answer = call(parameters)
            return answer.body, answer.until_ms

        # In the thread it looks again: an equal one may have run while this one waited.
        return await queries.run(
            lambda: answers.answer(question, evaluate), request.receive, timeout_s, question=question
        )

    return _answering(run)


def _answering(run: Callable[[Request], Awaitable[bytes]]) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return Response(await run(request), media_type=_JSON)
        except AwfError as error:
            return _failure(*_classified(error), _text(error))
        except Exception:  # the API's boundary: clients get Prometheus' error shape, the log the cause
            logger.exception("prometheus api failed", extra={"path": request.url.path})
            return _failure(500, "internal", "internal error, see the log of the embedded backend")

    return answer


def _parameters(request: Request, form: bytes) -> Parameters:
    """Read the form, then the address; the path's parts win over both."""
    values = _fields(form.decode(errors="replace"))
    for name, items in _fields(request.scope["query_string"].decode("latin-1")).items():
        values.setdefault(name, []).extend(items)
    values.update({name: [str(value)] for name, value in request.path_params.items()})
    return Parameters(values)


def _fields(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise InvalidInput(f"the parameters cannot be read: {error}") from error


async def _form(request: Request) -> bytes:
    return await _body(request) if request.method == "POST" else b""


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
    text = json.dumps({"status": "error", "errorType": kind, "error": message})
    return Response(text, status_code=status, media_type=_JSON)
