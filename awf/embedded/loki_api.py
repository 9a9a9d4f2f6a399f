"""Loki's HTTP API over the embedded engine. Mounted under any prefix."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from awf.core.clock import Clock, SystemClock
from awf.embedded.logql import Engine, nodes, parse, parse_selector, push, wire
from awf.embedded.logql.detected import DetectedEndpoints
from awf.embedded.logql.frame import label_set
from awf.embedded.logql.parameters import Parameters
from awf.embedded.logql.patterns import mine
from awf.embedded.logql.results import Result
from awf.embedded.logql.scan import LARGEST_SLICE, QueryStats, line_bytes, scan
from awf.embedded.model import LogReader, Matcher, Sink
from awf.embedded.query_pool import QueryPool
from awf.errors import AwfError, MalformedPayload, Overloaded, QueryError, TooLarge

logger = logging.getLogger(__name__)

COMPATIBLE_VERSION: Final = "3.7.0"
"""The Loki whose query API this is; clients choose features by it."""
MAX_FORM_BYTES: Final = 256 * 1024
MAX_MINED_LINES: Final = 50_000
_PREFIX: Final = "/loki/api/v1"

_Answer: TypeAlias = dict[str, Any]
_Call: TypeAlias = Callable[[Parameters], _Answer]


def create_app(
    engine: Engine,
    reader: LogReader,
    sink: Sink,
    *,
    clock: Clock | None = None,
    queries: QueryPool | None = None,
) -> Starlette:
    """Return the API as an ASGI application."""
    clock = clock or SystemClock()
    queries = queries or QueryPool()
    api = _Api(engine, reader)
    calls: dict[str, _Call] = {
        "/query": api.query,
        "/query_range": api.query_range,
        "/labels": api.labels,
        "/label": api.labels,
        "/label/{name}/values": api.label_values,
        "/series": api.series,
        "/index/stats": api.index_stats,
        "/index/volume": api.volume,
        "/patterns": api.patterns,
        "/status/buildinfo": api.buildinfo,
        **DetectedEndpoints(engine, reader).calls(),
    }
    routes = [
        Route(_PREFIX + path, _endpoint(call, clock, queries), methods=["GET", "POST"])
        for path, call in calls.items()
    ]
    return Starlette(
        routes=[
            *routes,
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

    def index_stats(self, parameters: Parameters) -> _Answer:
        """Count what is there. There are no chunks: a stream counts as one."""
        stats = QueryStats()
        streams = {label_set(record.labels) for record in self._records(parameters, stats)}
        return {
            "streams": len(streams), "chunks": len(streams), "bytes": stats.bytes, "entries": stats.lines,
        }  # fmt: skip

    def volume(self, parameters: Parameters) -> _Answer:
        """Sum bytes by the labels that the query names, or by `targetLabels`."""
        by = parameters.text("aggregateBy") or "series"
        if by not in {"series", "labels"}:
            raise QueryError(f"invalid aggregateBy {by!r:.40}: use series or labels")
        matchers = _bare_selector(parameters)
        targets = [name for name in parameters.text("targetLabels").split(",") if name]
        names = targets or [matcher.name for matcher in matchers]
        volumes: Counter[tuple[tuple[str, str], ...]] = Counter()
        stats = QueryStats()
        for record in self._records(parameters, stats):
            found = {name: record.labels[name] for name in names if record.labels.get(name)}
            keys = [found] if by == "series" else [{name: ""} for name in found]
            for key in keys:
                volumes[label_set(key)] += line_bytes(record.line)
        ranked = sorted(volumes.items(), key=lambda item: (-item[1], item[0]))[: parameters.limit()]
        at = wire.seconds(parameters.span_ns()[1])
        rows = [{"metric": dict(labels), "value": [at, str(size)]} for labels, size in ranked]
        return _success({"resultType": "vector", "result": rows, "stats": {"summary": wire.summary(stats)}})

    def patterns(self, parameters: Parameters) -> _Answer:
        """Mine the newest lines of the range (at most MAX_MINED_LINES)."""
        span = parameters.span_ns()
        step = parameters.step_ns(span)
        entries = self._engine.entries(parameters.query(), *span, QueryStats())
        lines = ((entry.timestamp_ns, entry.line, entry.labels) for entry in islice(entries, MAX_MINED_LINES))
        return _success(
            [
                {
                    "pattern": cluster.pattern,
                    "level": cluster.level,
                    "samples": [[at // 1_000_000_000, n] for at, n in sorted(cluster.samples.items())],
                }
                for cluster in mine(lines, step)
            ]
        )

    def buildinfo(self, _: Parameters) -> _Answer:
        return {
            "version": COMPATIBLE_VERSION, "revision": "", "branch": "awf-embedded",
            "buildUser": "", "buildDate": "", "goVersion": "",
        }  # fmt: skip

    def _streams(self, parameters: Parameters, *names: str) -> list[dict[str, str]]:
        start, end = parameters.span_ns()
        selectors = [_matchers(text) for text in parameters.all(*names)] or [()]
        return [
            dict(labels) for matchers in selectors for labels in self._reader.streams(matchers, start, end)
        ]

    def _records(self, parameters: Parameters, stats: QueryStats) -> Any:
        matchers = _bare_selector(parameters)
        return scan(self._reader, matchers, parameters.span_ns(), stats, rows=LARGEST_SLICE)


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


def _bare_selector(parameters: Parameters) -> tuple[Matcher, ...]:
    return _matchers(parameters.query())


def _matchers(text: str) -> tuple[Matcher, ...]:
    """Read a selector without a pipeline."""
    query = parse_selector(text)
    if query.stages:
        raise QueryError("only label matchers are supported")
    return query.matchers


def _endpoint(call: _Call, clock: Clock, queries: QueryPool) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            now_ns = int(clock.now().timestamp() * 1_000_000) * 1_000
            parameters = Parameters(await _fields(request), now_ns)
            text = await queries.run(lambda: _dump(call(parameters)), request.receive)
        except AwfError as error:
            return _failure(error)
        except Exception:  # the API's boundary: the client gets a line, the log the cause
            logger.exception("loki api failed", extra={"path": request.url.path})
            return PlainTextResponse("internal error, see the log of the embedded backend\n", 500)
        return Response(text, media_type="application/json")

    return answer


def _push_endpoint(sink: Sink) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        try:
            if kind != "application/json":
                raise MalformedPayload(f"content type {kind!r:.60} is not supported: push application/json")
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


async def _ready(_: Request) -> Response:
    return PlainTextResponse("ready\n")


async def _fields(request: Request) -> dict[str, list[str]]:
    """Read the form and the address; the path's parts and the encoding header win over both."""
    texts = [request.url.query]
    if request.method == "POST":
        texts.insert(0, (await _body(request, MAX_FORM_BYTES)).decode(errors="replace"))
    values: dict[str, list[str]] = {}
    for text in texts:
        try:
            parsed = parse_qs(text, keep_blank_values=True, max_num_fields=1_000)
        except ValueError as error:
            raise QueryError(f"the parameters cannot be read: {error}") from error
        for name, items in parsed.items():
            values.setdefault(name, []).extend(items)
    values |= {name: [str(value)] for name, value in request.path_params.items()}
    values["encoding-flags"] = [request.headers.get("x-loki-response-encoding-flags", "")]
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
