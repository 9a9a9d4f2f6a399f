"""Loki's HTTP API over the embedded engine. Mounted under any prefix."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from awf.core.clock import Clock, SystemClock
from awf.embedded.answer_cache import AnswerCache
from awf.embedded.changes import LATEST_MS, Changes
from awf.embedded.contracts import LogReader, Sink
from awf.embedded.logql import Engine, nodes, parse, push, wire
from awf.embedded.logql.detected import DetectedEndpoints
from awf.embedded.logql.frame import label_set
from awf.embedded.logql.parameters import Parameters
from awf.embedded.logql.results import Result
from awf.embedded.loki_explore import Explore, bare_matchers
from awf.embedded.loki_tail import Tail
from awf.embedded.query_pool import QueryPool
from awf.errors import AwfError, Overloaded, QueryError, TooLarge

logger = logging.getLogger(__name__)

COMPATIBLE_VERSION: Final = "3.7.0"
"""The Loki whose query API this is; clients choose features by it."""
MAX_FORM_BYTES: Final = 256 * 1024
_PREFIX: Final = "/loki/api/v1"
_TIMES: Final = {"/query": ("time",)}
_PUSH_HINT: Final = "push JSON as application/json, or send OTLP to the OTLP port"

_Answer: TypeAlias = dict[str, Any]
_Call: TypeAlias = Callable[[Parameters], _Answer]


def create_app(
    engine: Engine,
    reader: LogReader,
    sink: Sink,
    *,
    clock: Clock | None = None,
    queries: QueryPool | None = None,
    answers: AnswerCache | None = None,
) -> Starlette:
    """Return the API as an ASGI application. Without `answers` none is kept."""
    clock = clock or SystemClock()
    queries = queries or QueryPool()
    answers = answers or AnswerCache(Changes(), max_bytes=0)
    api, explore = _Api(engine, reader), Explore(engine, reader)
    calls: dict[str, _Call] = {
        "/query": api.query,
        "/query_range": api.query_range,
        "/labels": api.labels,
        "/label": api.labels,
        "/label/{name}/values": api.label_values,
        "/series": api.series,
        "/index/stats": explore.index_stats,
        "/index/volume": explore.volume,
        "/index/volume_range": explore.volume_range,
        "/patterns": explore.patterns,
        "/status/buildinfo": api.buildinfo,
        **DetectedEndpoints(engine, reader).calls(),
    }
    routes = [
        Route(
            _PREFIX + path,
            _endpoint(call, clock, queries, answers, times=_TIMES.get(path, ("start", "end"))),
            methods=["GET", "POST"],
        )
        for path, call in calls.items()
    ]
    return Starlette(
        routes=[
            *routes,
            WebSocketRoute(f"{_PREFIX}/tail", Tail(engine, clock, _socket_fields).serve),
            Route(f"{_PREFIX}/push", _push_endpoint(sink), methods=["POST"]),
            Route("/ready", _ready),
        ]
    )


class _Api:
    """Each method answers one endpoint, in a worker thread: parameters in, the response's object out."""

    def __init__(self, engine: Engine, reader: LogReader) -> None:
        self._engine = engine
        self._reader = reader

    def query(self, parameters: Parameters) -> _Answer:
        started = time.perf_counter()
        result = self._engine.instant(parameters.query(), parameters.at_ns())
        return _query_answer(result, started, parameters)

    def query_range(self, parameters: Parameters) -> _Answer:
        started = time.perf_counter()
        query, span = parameters.query(), parameters.span_ns()
        step = parameters.step_ns(span)
        is_log_query = isinstance(parse(query), nodes.LogQuery)
        result = self._engine.range(
            query,
            *(span if is_log_query else _aligned(span, step)),
            step,
            limit=parameters.entry_limit() if is_log_query else 1,
            newest_first=parameters.newest_first(),
            interval_ns=parameters.interval_ns(),
        )
        return _query_answer(result, started, parameters)

    def labels(self, parameters: Parameters) -> _Answer:
        return _success(sorted({name for labels in self._streams(parameters, "query") for name in labels}))

    def label_values(self, parameters: Parameters) -> _Answer:
        name = parameters.text("name")
        found = {labels[name] for labels in self._streams(parameters, "query") if labels.get(name)}
        return _success(sorted(found))

    def series(self, parameters: Parameters) -> _Answer:
        found = {label_set(labels) for labels in self._streams(parameters, "match", "match[]")}
        return _success([dict(labels) for labels in sorted(found)])

    def buildinfo(self, _: Parameters) -> _Answer:
        return {
            "version": COMPATIBLE_VERSION, "revision": "", "branch": "awf-embedded",
            "buildUser": "", "buildDate": "", "goVersion": "",
        }  # fmt: skip

    def _streams(self, parameters: Parameters, *names: str) -> list[dict[str, str]]:
        start, end = parameters.span_ns()
        selectors = [bare_matchers(text) for text in parameters.all(*names)] or [()]
        return [
            dict(labels) for matchers in selectors for labels in self._reader.streams(matchers, start, end)
        ]


def _aligned(span_ns: tuple[int, int], step_ns: int) -> tuple[int, int]:
    """Return the range from the multiple of the step before it to the one after it, which is where Loki
    evaluates metric queries; one instant on a multiple stays as it is."""
    start, end = span_ns
    return start - start % step_ns, end + -end % step_ns


def _query_answer(result: Result, started: float, parameters: Parameters) -> _Answer:
    flags = [flag.strip() for flag in parameters.text("encoding-flags").split(",")]
    elapsed = time.perf_counter() - started
    return _success(wire.query_data(result, elapsed_s=elapsed, categorize=wire.CATEGORIZE_LABELS in flags))


def _success(data: object) -> _Answer:
    return {"status": "success", "data": data}


def _endpoint(
    call: _Call, clock: Clock, queries: QueryPool, answers: AnswerCache, *, times: tuple[str, ...]
) -> Callable[[Request], Awaitable[Response]]:
    async def run(request: Request) -> bytes:
        fields = await _fields(request)
        about = sorted((name, *values) for name, values in fields.items())
        # What does not say its times is about now: the next one is another question.
        question = (call, *about) if all(fields.get(name) for name in times) else None
        if question and (kept := answers.get(question)) is not None:
            return kept
        parameters = Parameters(fields, int(clock.now().timestamp() * 1_000_000) * 1_000)

        def evaluate() -> tuple[bytes, int | None]:
            return _dump(call(parameters)).encode(), LATEST_MS if question else None

        return await queries.run(
            lambda: answers.answer(question, evaluate), request.receive, question=question
        )

    async def answer(request: Request) -> Response:
        try:
            body = await run(request)
        except AwfError as error:
            return _failure(error)
        except Exception:  # the API's boundary: the client gets a line, the log the cause
            logger.exception("loki api failed", extra={"path": request.url.path})
            return PlainTextResponse("internal error, see the log of the embedded backend\n", 500)
        return Response(body, media_type="application/json")

    return answer


def _push_endpoint(sink: Sink) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        try:
            if kind != "application/json":
                return PlainTextResponse(f"content type {kind!r:.60} is not taken: {_PUSH_HINT}\n", 415)
            body = await _body(request, push.MAX_PUSH_BYTES)
            encoding = request.headers.get("content-encoding", "")
            records = await asyncio.to_thread(lambda: push.decode(push.inflate(body, encoding)))
            if (refusal := await sink.write(logs=records)) is not None:
                left_out = f"{refusal.count} of {len(records)} entries were left out: {refusal.reason}"
                raise Overloaded(f"{left_out}; the others are stored")
        except AwfError as error:
            return _failure(error)
        return Response(status_code=204)

    return answer


def _socket_fields(socket: WebSocket) -> dict[str, list[str]]:
    return _read_fields(socket, [socket.url.query])


async def _ready(_: Request) -> Response:
    return PlainTextResponse("ready\n")


async def _fields(request: Request) -> dict[str, list[str]]:
    """Read the form and the address; the path's parts and the encoding header win over both."""
    texts = [request.url.query]
    if request.method == "POST":
        texts.insert(0, (await _body(request, MAX_FORM_BYTES)).decode(errors="replace"))
    return _read_fields(request, texts)


def _read_fields(connection: HTTPConnection, texts: list[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for text in texts:
        try:
            parsed = parse_qs(text, keep_blank_values=True, max_num_fields=1_000)
        except ValueError as error:
            raise QueryError(f"the parameters cannot be read: {error}") from error
        for name, items in parsed.items():
            values.setdefault(name, []).extend(items)
    values |= {name: [str(value)] for name, value in connection.path_params.items()}
    values["encoding-flags"] = [connection.headers.get("x-loki-response-encoding-flags", "")]
    return values


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes")
    return bytes(body)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _failure(error: AwfError) -> Response:
    """Loki answers plain text, and 400 for every query that it does not accept."""
    status = 400 if isinstance(error, QueryError) else error.http_status
    headers = {"Retry-After": "1"} if isinstance(error, Overloaded) else None
    text = f"{error.message}\n{error.hint}".rstrip() + "\n"
    return PlainTextResponse(text, status, headers=headers)
