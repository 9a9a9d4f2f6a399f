"""Puts Prometheus' endpoints together. Mounted under any prefix; it writes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from awf.core.clock import Clock, SystemClock
from awf.embedded.answer_cache import AnswerCache
from awf.embedded.changes import Changes
from awf.embedded.contracts import SampleReader
from awf.embedded.prometheus_api.answers import endpoint, queued_endpoint
from awf.embedded.prometheus_api.labels import LabelEndpoints
from awf.embedded.prometheus_api.queries import QueryEndpoints
from awf.embedded.prometheus_api.rules import RuleEndpoints, RulesView
from awf.embedded.prometheus_api.status import StatusEndpoints
from awf.embedded.promql import Engine
from awf.embedded.query_pool import QueryPool


def create_app(
    engine: Engine,
    reader: SampleReader,
    rules: RulesView,
    *,
    clock: Clock | None = None,
    queries: QueryPool | None = None,
    answers: AnswerCache | None = None,
    flags: Mapping[str, str] | None = None,
) -> Starlette:
    """Return the API as an ASGI application. `flags` are shown as those of a Prometheus' command line. Without
    `answers` none is kept."""
    clock, queries = clock or SystemClock(), queries or QueryPool()
    answers = answers or AnswerCache(Changes(), max_bytes=0)
    evaluating = QueryEndpoints(engine, reader, clock)
    known = LabelEndpoints(reader)
    ruling = RuleEndpoints(rules)
    status = StatusEndpoints(reader, rules, clock, queries.flags | dict(flags or {}))
    both = {
        "/api/v1/query": evaluating.query,
        "/api/v1/query_range": evaluating.query_range,
        "/api/v1/query_exemplars": evaluating.query_exemplars,
        "/api/v1/format_query": evaluating.format_query,
        "/api/v1/series": known.series,
        "/api/v1/labels": known.labels,
    }
    read_only = {
        "/api/v1/label/{name}/values": known.label_values,
        "/api/v1/metadata": known.metadata,
        "/api/v1/status/tsdb": status.tsdb,
    }
    at_once = {"/api/v1/rules": ruling.rules, "/api/v1/alerts": ruling.alerts} | status.fixed()
    return Starlette(
        routes=[
            *(
                Route(path, queued_endpoint(call, queries, answers), methods=["GET", "POST"])
                for path, call in both.items()
            ),
            *(
                Route(path, queued_endpoint(call, queries, answers), methods=["GET"])
                for path, call in read_only.items()
            ),
            *(Route(path, endpoint(call), methods=["GET"]) for path, call in at_once.items()),
            Route("/-/ready", _says("Prometheus Server is Ready.\n")),
            Route("/-/healthy", _says("Prometheus Server is Healthy.\n")),
        ]
    )


def _says(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return PlainTextResponse(text)

    return answer
