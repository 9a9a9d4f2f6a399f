"""Prometheus' HTTP query API over the embedded engine. Mounted under any prefix; it writes nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from awf.core.clock import Clock, SystemClock
from awf.embedded.model import SampleReader
from awf.embedded.promql import Engine, Notes, parse
from awf.embedded.promql.engine import check_kind, check_range
from awf.embedded.promql.parameters import FIRST_MS, LAST_MS, Parameters, invalid
from awf.embedded.promql.parser import format_query, selectors
from awf.embedded.promql.syntax import kind
from awf.embedded.promql.values import sort_key
from awf.embedded.promql.wire import (
    encode_notes,
    encode_result,
    format_float,
    limited,
    result_type,
)
from awf.errors import AwfError, InvalidInput, QueryError, TooLarge, Unavailable, UnsupportedQuery

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024
COMPATIBLE_VERSION = "3.0.0"
"""The Prometheus whose query API this is; clients choose features by it."""


class RulesView(Protocol):
    """What the ruler shows of itself, in the shapes of Prometheus' /api/v1/rules and /api/v1/alerts."""

    def groups(self) -> list[dict[str, Any]]: ...

    def alerts(self) -> list[dict[str, Any]]: ...


def create_app(
    engine: Engine, reader: SampleReader, rules: RulesView, *, clock: Clock | None = None
) -> Starlette:
    """Return the API as an ASGI application."""
    api = _Api(engine, reader, rules, clock or SystemClock())
    both = {
        "/api/v1/query": api.query,
        "/api/v1/query_range": api.query_range,
        "/api/v1/query_exemplars": api.query_exemplars,
        "/api/v1/format_query": api.format_query,
        "/api/v1/series": api.series,
        "/api/v1/labels": api.labels,
    }
    read_only = {
        "/api/v1/label/{name}/values": api.label_values,
        "/api/v1/metadata": api.metadata,
        "/api/v1/rules": api.rules,
        "/api/v1/alerts": api.alerts,
        "/api/v1/status/buildinfo": api.buildinfo,
    }
    return Starlette(
        routes=[
            *(Route(path, _endpoint(call), methods=["GET", "POST"]) for path, call in both.items()),
            *(Route(path, _endpoint(call), methods=["GET"]) for path, call in read_only.items()),
            Route("/-/ready", _plain("Prometheus Server is Ready.\n")),
            Route("/-/healthy", _plain("Prometheus Server is Healthy.\n")),
        ]
    )


class _Api:
    """Each method answers one endpoint: parameters in, the JSON text of `data` and warnings out.

    They run in worker threads, so that a heavy query does not hold up the event loop.
    """

    def __init__(self, engine: Engine, reader: SampleReader, rules: RulesView, clock: Clock) -> None:
        self._engine = engine
        self._reader = reader
        self._rules = rules
        self._clock = clock

    def query(self, parameters: Parameters) -> _Answer:
        query = _query(parameters)
        at_ms = parameters.time_ms("time", self._now_ms())
        notes = Notes(query)
        result = self._engine.instant(query, at_ms, notes)
        result, warnings = limited(result, parameters.count("limit"))
        shape = result_type(result, is_matrix=kind(parse(query)) == "matrix")
        return f'{{"resultType":"{shape}","result":{encode_result(result)}}}', [*warnings, *notes.texts()]

    def query_range(self, parameters: Parameters) -> _Answer:
        query = _query(parameters)
        start_ms, end_ms = (_required_time(parameters, name) for name in ("start", "end"))
        parameters.required("step")
        step_ms = parameters.duration_ms("step")
        if end_ms < start_ms:
            raise invalid("end", "end timestamp must not be before start time")
        with _blaming("step"):
            check_range(start_ms, end_ms, step_ms)
        with _blaming("query"):
            check_kind(parse(query))
        notes = Notes(query)
        series = self._engine.range(query, start_ms, end_ms, step_ms, notes)
        result, warnings = limited(series, parameters.count("limit"))
        return f'{{"resultType":"matrix","result":{encode_result(result)}}}', [*warnings, *notes.texts()]

    def query_exemplars(self, parameters: Parameters) -> _Answer:
        query = _query(parameters)
        start_ms, end_ms = self._span(parameters)
        grouped: dict[str, dict[str, Any]] = {}
        for matchers in selectors(query):
            for item in self._reader.exemplars(matchers, start_ms, end_ms):
                labels = dict(sort_key(item.series_labels))
                entry = grouped.setdefault(json.dumps(labels), {"seriesLabels": labels, "exemplars": []})
                exemplar = {
                    "labels": dict(item.labels),
                    "value": format_float(item.value),
                    "timestamp": item.timestamp_ms / 1000,
                }
                if exemplar not in entry["exemplars"]:
                    entry["exemplars"].append(exemplar)
        return _plain_data([grouped[key] for key in sorted(grouped)])

    def format_query(self, parameters: Parameters) -> _Answer:
        return _plain_data(format_query(_query(parameters)))

    def series(self, parameters: Parameters) -> _Answer:
        if not parameters.all("match[]"):
            raise InvalidInput("no match[] parameter provided")
        found = {tuple(sort_key(labels)) for labels in self._label_sets(parameters)}
        return _limited_list([dict(labels) for labels in sorted(found)], parameters)

    def labels(self, parameters: Parameters) -> _Answer:
        names = {name for labels in self._label_sets(parameters) for name in labels}
        return _limited_list(sorted(names), parameters)

    def label_values(self, parameters: Parameters) -> _Answer:
        name = parameters.required("name")
        values = {labels[name] for labels in self._label_sets(parameters) if name in labels}
        return _limited_list(sorted(values), parameters)

    def metadata(self, parameters: Parameters) -> _Answer:
        wanted = parameters.text("metric")
        limit = parameters.count("limit")
        parameters.count("limit_per_metric")  # there is one entry a metric
        found = {
            name: [{"type": entry.type, "help": entry.help, "unit": entry.unit}]
            for name, entry in sorted(self._reader.metadata().items())
            if not wanted or name == wanted
        }
        return _plain_data(dict(list(found.items())[: limit or None]))

    def rules(self, parameters: Parameters) -> _Answer:
        if parameters.all("match[]"):
            raise UnsupportedQuery("match[] on rules is not supported")
        shown = {"alert": "alerting", "record": "recording"}.get(
            parameters.choice("type", ("alert", "record")), ""
        )
        groups = []
        for group in self._rules.groups():
            rules = [rule for rule in group["rules"] if _is_shown(rule, shown, parameters)]
            if _among(group["name"], parameters.all("rule_group[]")) and _among(
                group["file"], parameters.all("file[]")
            ):
                groups.append({**group, "rules": rules})
        return _plain_data({"groups": [group for group in groups if group["rules"]]})

    def alerts(self, _: Parameters) -> _Answer:
        return _plain_data({"alerts": self._rules.alerts()})

    def buildinfo(self, _: Parameters) -> _Answer:
        return _plain_data(
            {
                "version": COMPATIBLE_VERSION,
                "revision": "",
                "branch": "awf-embedded",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            }
        )

    def _now_ms(self) -> int:
        return round(self._clock.now().timestamp() * 1000)

    def _span(self, parameters: Parameters) -> tuple[int, int]:
        start_ms = parameters.time_ms("start", FIRST_MS)
        end_ms = parameters.time_ms("end", LAST_MS)
        if end_ms < start_ms:
            raise invalid("end", "end timestamp must not be before start time")
        return start_ms, end_ms

    def _label_sets(self, parameters: Parameters) -> Iterable[Any]:
        start_ms, end_ms = self._span(parameters)
        for matchers in parameters.matchers() or [()]:
            yield from self._reader.series(matchers, start_ms, end_ms)


_Answer = tuple[str, list[str]]


def _query(parameters: Parameters) -> str:
    """Return the query after parsing it once, so that its mistakes are the caller's (400)."""
    query = parameters.required("query")
    parameters.duration_ms("timeout")
    if parameters.text("lookback_delta"):
        raise UnsupportedQuery("the parameter lookback_delta is not supported")
    with _blaming("query"):
        parse(query)
    return query


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Turn a QueryError into an error of the parameter."""
    try:
        yield
    except QueryError as error:
        raise invalid(name, error.message) from error


def _required_time(parameters: Parameters, name: str) -> int:
    parameters.required(name)
    return parameters.time_ms(name, 0)


def _is_shown(rule: dict[str, Any], shown: str, parameters: Parameters) -> bool:
    return rule["type"] == (shown or rule["type"]) and _among(rule["name"], parameters.all("rule_name[]"))


def _among(value: str, wanted: Iterable[str]) -> bool:
    return not wanted or value in wanted


def _plain_data(data: object) -> _Answer:
    return json.dumps(data, ensure_ascii=False), []


def _limited_list(items: list[Any], parameters: Parameters) -> _Answer:
    limit = parameters.count("limit")
    if limit and len(items) > limit:
        return json.dumps(items[:limit], ensure_ascii=False), ["results truncated due to limit"]
    return _plain_data(items)


def _plain(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return PlainTextResponse(text)

    return answer


def _endpoint(call: Callable[[Parameters], _Answer]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            parameters = await _parameters(request)
            data, warnings = await asyncio.to_thread(call, parameters)
        except AwfError as error:
            return _failure(*_classified(error), error.message)
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
        case Unavailable():
            return 503, "unavailable"
        case _:
            return 500, "internal"


def _failure(status: int, kind_of_error: str, message: str) -> Response:
    return _json(status, json.dumps({"status": "error", "errorType": kind_of_error, "error": message}))


def _json(status: int, text: str) -> Response:
    return Response(text, status_code=status, media_type="application/json")
