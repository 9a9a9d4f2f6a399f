"""Tempo's HTTP query API over the embedded engine. Mounted under any prefix."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.wrappers_pb2 import BytesValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from awf.core.clock import Clock, SystemClock
from awf.embedded.answer_cache import AnswerCache
from awf.embedded.changes import LATEST_MS, Changes
from awf.embedded.contracts import SpanReader
from awf.embedded.model import Span
from awf.embedded.query_pool import QueryPool
from awf.embedded.traceql import Engine, otlp, tags, wire
from awf.embedded.traceql.fields import intrinsic
from awf.embedded.traceql.parameters import Parameters
from awf.embedded.traceql.parser import readable_part
from awf.errors import AwfError, NotFound, QueryError, UnsupportedQuery

logger = logging.getLogger(__name__)

COMPATIBLE_VERSION: Final = "3.1.0"
"""The Tempo whose query API this is; clients choose features by it."""
MAX_RESULTS: Final = 10_000
MAX_SPANS_PER_SET: Final = 100
_METHODS: Final = ("GET", "POST")
_ABOUT_NOW: Final = frozenset({"/api/metrics/query_range", "/api/metrics/query"})
"""What leaves out the time that is not over yet, whatever end is asked for: its answers change by themselves."""
_JSON: Final = "application/json"
_PROTOBUF: Final = "application/protobuf"
_FOR_MODELS: Final = "application/vnd.grafana.llm"

_Call = Callable[[Parameters, Request], Response]


def create_app(
    engine: Engine,
    reader: SpanReader,
    *,
    clock: Clock | None = None,
    queries: QueryPool | None = None,
    answers: AnswerCache | None = None,
) -> Starlette:
    """Return the API as an ASGI application."""
    clock = clock or SystemClock()
    queries = queries or QueryPool()
    answers = answers or AnswerCache(Changes(), max_bytes=0)
    api = _Api(engine, reader)
    calls: dict[str, _Call] = {
        "/api/search": api.search,
        "/api/search/tags": api.tag_names,
        "/api/search/tag/{name:path}/values": api.tag_values,
        "/api/v2/search/tags": api.tag_names_v2,
        "/api/v2/search/tag/{name:path}/values": api.tag_values_v2,
        "/api/traces/{trace_id}": api.trace,
        "/api/v2/traces/{trace_id}": api.trace_v2,
        "/api/metrics/query_range": api.metrics_range,
        "/api/metrics/query": api.metrics_instant,
    }
    return Starlette(
        routes=[
            Route("/ready", _says("ready\n")),
            Route("/api/echo", _says("echo\n")),
            Route("/api/status/buildinfo", _build_info),
            Route("/status/buildinfo", _build_info),
            Route("/api/v2/traces/diff", _diff, methods=["POST"]),
            *(
                Route(
                    path,
                    _endpoint(call, clock, queries, answers, keeps=path not in _ABOUT_NOW),
                    methods=_METHODS,
                )
                for path, call in calls.items()
            ),
        ]
    )


class _Api:
    """Each method answers one endpoint, in a worker thread."""

    def __init__(self, engine: Engine, reader: SpanReader) -> None:
        self._engine = engine
        self._reader = reader

    def search(self, parameters: Parameters, request: Request) -> Response:
        query, tag_text = parameters.text("q"), parameters.text("tags")
        if query and tag_text:
            raise QueryError("invalid request: can't specify tags and q in the same query")
        limit = parameters.number("limit", 20, largest=MAX_RESULTS)
        if not limit:
            raise QueryError("invalid limit: must be a positive number")
        if query and (parameters.text("minDuration") or parameters.text("maxDuration")):
            raise UnsupportedQuery(
                "minDuration and maxDuration have no effect beside q in Tempo",
                hint="Write { traceDuration > 1s }.",
            )
        spans_per_set = parameters.number("spss", 0, largest=MAX_RESULTS) or 3
        if spans_per_set > MAX_SPANS_PER_SET:
            raise QueryError(f"spans per span set exceeds {MAX_SPANS_PER_SET}. received {spans_per_set}")
        start_ns, end_ns = parameters.range_ns()
        shortest = parameters.duration_ns("minDuration", 0)
        longest = parameters.duration_ns("maxDuration", 0) or None
        if longest and longest < shortest:
            raise QueryError("invalid maxDuration: must be greater than minDuration")
        result = self._engine.search(
            query or tags.to_query(tag_text),
            start_ns,
            end_ns,
            limit,
            spans_per_set,
            min_duration_ns=shortest,
            max_duration_ns=longest,
        )
        return JSONResponse(wire.search(result))

    def trace(self, parameters: Parameters, request: Request) -> Response:
        spans = self._spans(request)
        if not spans:
            raise NotFound(f"trace {request.path_params['trace_id']} not found")
        if _PROTOBUF in _accepted(request):
            return Response(otlp.to_traces(spans).SerializeToString(), media_type=_PROTOBUF)
        return JSONResponse({"batches": otlp.to_json(spans)})

    def trace_v2(self, parameters: Parameters, request: Request) -> Response:
        """An unknown trace is an empty one here, as in Tempo; the older endpoint answers 404."""
        spans = self._spans(request)
        accepted = _accepted(request)
        if _FOR_MODELS in accepted:
            body = {"trace": otlp.to_model_json(spans), "status": "COMPLETE"} if spans else {}
            return JSONResponse(body, media_type=f"{_FOR_MODELS}+json")
        if _PROTOBUF in accepted:
            # Tempo's message has the trace as its field 1, and its metrics, which are empty, as field 2.
            found = BytesValue(value=otlp.to_traces(spans).SerializeToString())
            message = found.SerializeToString() or b"\x0a\x00"
            return Response(message + b"\x12\x00", media_type=_PROTOBUF)
        trace = {"resourceSpans": otlp.to_json(spans)} if spans else {}
        return JSONResponse({"trace": trace, "metrics": {}})

    def tag_names(self, parameters: Parameters, request: Request) -> Response:
        scopes = self._names(parameters)
        if parameters.text("scope") != "intrinsic":
            scopes.pop("intrinsic", None)
        return JSONResponse({"tagNames": sorted({name for names in scopes.values() for name in names})})

    def tag_names_v2(self, parameters: Parameters, request: Request) -> Response:
        scopes = [{"name": scope, "tags": names} for scope, names in self._names(parameters).items()]
        return JSONResponse({"scopes": scopes})

    def tag_values(self, parameters: Parameters, request: Request) -> Response:
        name: str = request.path_params["name"]
        field = name if intrinsic(name) else '."' + re.sub(r'(["\\])', r"\\\1", name) + '"'
        return JSONResponse({"tagValues": [text for _, text in self._values(field, parameters)]})

    def tag_values_v2(self, parameters: Parameters, request: Request) -> Response:
        values = self._values(request.path_params["name"], parameters)
        if _FOR_MODELS in _accepted(request):
            by_type: dict[str, list[str]] = {}
            for kind, text in values:
                by_type.setdefault(kind, []).append(text)
            return JSONResponse({"tagValues": by_type}, media_type=f"{_FOR_MODELS}+json")
        found = [{"type": kind} | ({"value": text} if text else {}) for kind, text in values]
        return JSONResponse({"tagValues": found})

    def metrics_range(self, parameters: Parameters, request: Request) -> Response:
        start_ns, end_ns = parameters.range_ns()
        step_ns = parameters.step_ns(start_ns, end_ns)
        result = self._engine.metrics_range(
            parameters.query(),
            start_ns,
            end_ns,
            step_ns,
            now_ns=parameters.now_ns,
            exemplars=parameters.number("exemplars", 0, largest=MAX_RESULTS),
        )
        return JSONResponse(wire.metrics_range(result))

    def metrics_instant(self, parameters: Parameters, request: Request) -> Response:
        start_ns, end_ns = parameters.range_ns()
        ahead_s = max(-(-(end_ns - parameters.now_ns) // 1_000_000_000), 0)
        result = self._engine.metrics_instant(parameters.query(), start_ns, end_ns - ahead_s * 1_000_000_000)
        return JSONResponse(wire.metrics_instant(result))

    def _spans(self, request: Request) -> list[Span]:
        text: str = request.path_params["trace_id"]
        if not re.fullmatch(r"[0-9a-fA-F]{1,32}", text):
            raise QueryError(f"trace id {text!r:.80} is not 1 to 32 hexadecimal digits")
        return self._reader.trace(text.lower().rjust(32, "0"))

    def _names(self, parameters: Parameters) -> dict[str, list[str]]:
        limit = parameters.number("limit", 0, largest=MAX_RESULTS) or None
        found = self._engine.attribute_names(
            *parameters.range_ns(),
            scope=parameters.text("scope"),
            query=readable_part(parameters.text("q", "{}")),
        )
        return {scope: names[:limit] for scope, names in found.items()}

    def _values(self, field: str, parameters: Parameters) -> list[tuple[str, str]]:
        limit = parameters.number("limit", 1_000, largest=MAX_RESULTS)
        query = readable_part(parameters.text("q", "{}"))
        return self._engine.attribute_values(field, *parameters.range_ns(), query=query, limit=limit or 1_000)


def _endpoint(
    call: _Call, clock: Clock, queries: QueryPool, answers: AnswerCache, *, keeps: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        values = dict(request.query_params)
        if request.method == "POST":
            values |= {name: str(value) for name, value in (await request.form()).items()}
        # What does not say its times is about now: the next one is another question.
        about = (*request.path_params.items(), *sorted(values.items()), _accepted(request))
        question = (call, *about) if keeps and values.get("start") and values.get("end") else None
        if question and (kept := answers.get(question)) is not None:
            return Response(kept, media_type=_JSON)
        parameters = Parameters(values, clock.now())

        def evaluate() -> Response:
            version = answers.changes.version
            response = call(parameters, request)
            if question and response.media_type == _JSON:
                answers.keep(question, bytes(response.body), version=version, until_ms=LATEST_MS)
            return response

        try:
            return await queries.run(evaluate, request.receive, question=question)
        except AwfError as error:
            logger.info("tempo request refused", extra={"path": request.url.path, "reason": error.reason})
            return _refusal(error)

    return endpoint


def _refusal(error: AwfError) -> Response:
    """Tempo answers everything that is wrong with a query by 400 and a line of text."""
    status = 400 if isinstance(error, QueryError) else error.http_status
    gap = "\n" if "\n" in error.message else ". "
    return PlainTextResponse(f"{error.message}{gap}{error.hint}" if error.hint else error.message, status)


def _accepted(request: Request) -> str:
    return request.headers.get("accept", "")


def _says(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(text)

    return answer


async def _build_info(request: Request) -> Response:
    empty = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "")
    body: dict[str, Any] = {"version": COMPATIBLE_VERSION} | empty
    return JSONResponse(body)


async def _diff(request: Request) -> Response:
    text = (
        "comparing traces is not supported here; read both with /api/v2/traces/{id} and compare their spans"
    )
    return PlainTextResponse(text, 501)
