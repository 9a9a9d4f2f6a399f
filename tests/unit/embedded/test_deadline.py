"""Queries that take too long, whose client leaves, or that are too many, over a statement without an end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import duckdb
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from awf.embedded import logql, loki_api, prometheus_api, promql, tempo_api, traceql
from awf.embedded.deadline import Deadline, check
from awf.embedded.model import LogRecord, SeriesData, SpanGroup, TraceRef
from awf.embedded.query_pool import QueryPool
from awf.embedded.store import MemoryStore
from awf.embedded.store.cursors import Cursors
from awf.embedded.web import WebServers
from awf.errors import AwfError, QueryCancelled, QueryTimeout

SLOW = {
    "prometheus": "/prometheus/api/v1/query?query=up",
    "loki": "/loki/loki/api/v1/query_range?query={a=%22b%22}",
    "tempo": "/tempo/api/search?q={}",
}
QUICK = {
    "prometheus": "/prometheus/api/v1/query?query=1",
    "loki": "/loki/loki/api/v1/query?query=vector(1)",
    "tempo": "/tempo/api/v2/traces/ab?start=1",
}
TIMED_OUT = {"prometheus": 503, "loki": 504, "tempo": 504}
TOO_MANY = {"prometheus": 503, "loki": 429, "tempo": 429}


class EndlessStore(MemoryStore):
    """A store whose reads are a statement that DuckDB would work at for years."""

    def __init__(self) -> None:
        super().__init__()
        self.started = asyncio.Semaphore(0)
        self.ended: asyncio.Queue[AwfError] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._endless = Cursors(duckdb.connect(":memory:"))

    def close(self) -> None:
        self._endless.close()
        super().close()

    def _read(self) -> list[Any]:
        self._loop.call_soon_threadsafe(self.started.release)
        statement = (
            "select count(*) from range(10_000_000_000) a, range(10_000_000_000) b where a.range < b.range"
        )
        try:
            return self._endless.rows(statement, [], limit=1, what="rows")
        except AwfError as error:
            self._loop.call_soon_threadsafe(self.ended.put_nowait, error)
            raise

    def select(self, *_: Any) -> list[SeriesData]:
        return self._read()

    def log_size(self, *_: Any, **__: Any) -> int:
        return len(self._read())

    def traces(self, *_: Any) -> list[TraceRef]:
        return self._read()

    def span_groups(self, *_: Any, **__: Any) -> list[SpanGroup] | None:
        return self._read()


class NoRules:
    def groups(self) -> list[dict[str, Any]]:
        return []

    def alerts(self) -> list[dict[str, Any]]:
        return []


@asynccontextmanager
async def served(store: EndlessStore, queries: QueryPool) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the three APIs on one port: a disconnect is one only over a real connection."""
    app = Starlette(
        routes=[
            Mount(
                "/prometheus",
                prometheus_api.create_app(promql.Engine(store), store, NoRules(), queries=queries),
            ),
            Mount("/loki", loki_api.create_app(logql.Engine(store), store, store, queries=queries)),
            Mount("/tempo", tempo_api.create_app(traceql.Engine(store), store, queries=queries)),
        ]
    )
    sock = socket.create_server(("127.0.0.1", 0))
    servers = WebServers()
    await servers.start(app, sock)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=60
        ) as client:
            yield client
    finally:
        await servers.stop()
        queries.close()


@pytest.fixture
async def store() -> AsyncIterator[EndlessStore]:
    opened = EndlessStore()
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.mark.parametrize("api", SLOW)
async def test_a_query_ends_at_its_deadline_and_frees_its_thread(store: EndlessStore, api: str) -> None:
    logql.parse("vector(1)")  # the first one builds the parser
    async with served(store, QueryPool(threads=1, timeout_s=1)) as client:
        response = await client.get(SLOW[api])
        assert response.status_code == TIMED_OUT[api]
        assert "query timed out in expression evaluation after 1 s" in response.text
        assert "Shorten the time range" in response.text
        assert (await client.get(QUICK[api])).status_code == 200


@pytest.mark.parametrize("api", SLOW)
async def test_a_client_that_leaves_ends_its_query(store: EndlessStore, api: str) -> None:
    async with served(store, QueryPool(threads=1, timeout_s=600)) as client:
        asking = asyncio.create_task(client.get(SLOW[api]))
        await store.started.acquire()
        asking.cancel()
        assert isinstance(await store.ended.get(), QueryCancelled)
        assert (await client.get(QUICK[api])).status_code == 200


async def test_the_timeout_of_prometheus_is_honoured_and_capped(store: EndlessStore) -> None:
    async with served(store, QueryPool(threads=1, timeout_s=0.4)) as client:
        for asked, given in (("100ms", "0.1"), ("1h", "0.4"), ("0.2", "0.2")):
            response = await client.post("/prometheus/api/v1/query", data={"query": "up", "timeout": asked})
            assert response.status_code == 503
            body = response.json()
            assert (body["status"], body["errorType"]) == ("error", "timeout")
            assert f"query timed out in expression evaluation after {given} s" in body["error"]


@pytest.mark.parametrize("api", SLOW)
async def test_what_is_too_much_is_refused_and_neither_health_nor_writing_waits(
    store: EndlessStore, api: str
) -> None:
    async with served(store, QueryPool(threads=1, waiting=1, timeout_s=600)) as client:
        running = asyncio.create_task(client.get(SLOW[api]))
        await store.started.acquire()
        others = {asyncio.create_task(client.get(f"{QUICK[api]}&n={number}")) for number in range(2)}
        done, (waiting,) = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().result()
        assert refused.status_code == TOO_MANY[api]
        assert "1 queries are running and 1 are waiting" in refused.text
        for path in ("/prometheus/-/healthy", "/prometheus/-/ready", "/loki/ready", "/tempo/ready"):
            assert (await client.get(path)).status_code == 200
        await store.write(logs=[LogRecord(1, "line", {"a": "b"})])
        running.cancel()
        assert (await waiting).status_code == 200


async def test_waiting_counts_as_part_of_the_time(store: EndlessStore) -> None:
    async with served(store, QueryPool(threads=1, timeout_s=600)) as client:
        running = asyncio.create_task(client.get(SLOW["prometheus"]))
        await store.started.acquire()
        response = await client.get(QUICK["prometheus"] + "&timeout=50ms")
        assert response.json()["errorType"] == "timeout"
        running.cancel()


def test_outside_of_a_query_there_is_no_deadline() -> None:
    check()


def test_a_query_that_was_stopped_says_why_wherever_it_looks() -> None:
    deadline = Deadline(600)
    with deadline.current():
        check()
        deadline.stop(QueryCancelled("gone"))
        deadline.stop(QueryTimeout("late"))
        with pytest.raises(QueryCancelled, match="gone"):
            check()
    check()


@pytest.mark.parametrize(
    "evaluate",
    [
        lambda store: promql.Engine(store).instant("1 + 1", 0),
        lambda store: logql.Engine(store).instant("vector(1)", 0),
    ],
)
def test_an_evaluator_looks_at_the_deadline(evaluate: Callable[[MemoryStore], object]) -> None:
    store = MemoryStore()
    with Deadline(-1).current(), pytest.raises(QueryTimeout):
        evaluate(store)
    store.close()
