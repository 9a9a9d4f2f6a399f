"""Answers that are kept, over a real store: they save work, and are those that evaluating again would give."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from awf.embedded import logql, loki_api, tempo_api, traceql
from awf.embedded.answer_cache import AnswerCache
from awf.embedded.model import LogRecord, Matcher, Samples, SeriesBlock, Span, TraceRef
from awf.embedded.prometheus_api import create_app
from awf.embedded.promql import Engine
from awf.embedded.query_pool import QueryPool, share_the_interpreter
from awf.embedded.store import MemoryStore
from awf.testing import FakeClock

RANGE = "/api/v1/query_range?query={query}&start=0&end=60&step=15"


class CountingStore(MemoryStore):
    """Counts how often samples are read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> SeriesBlock:
        self.reads += 1
        return super().select(matchers, start_ms, end_ms)

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Any]:
        self.reads += 1
        return super().series(matchers, start_ms, end_ms)

    async def add(self, value: float, at_ms: int) -> None:
        await self.write(samples=Samples.of([({"__name__": "up", "n": f"{value:g}"}, at_ms, value)]))


class CountingTelemetry(MemoryStore):
    """Counts how often logs and spans are read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def logs(self, *arguments: Any, **options: Any) -> list[LogRecord]:
        self.reads += 1
        return super().logs(*arguments, **options)

    def traces(self, *arguments: Any, **options: Any) -> list[TraceRef]:
        self.reads += 1
        return super().traces(*arguments, **options)


class NoRules:
    def groups(self) -> list[dict[str, Any]]:
        return []

    def alerts(self) -> list[dict[str, Any]]:
        return []


@asynccontextmanager
async def served(store: MemoryStore, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Engine(store), store, NoRules(), clock=FakeClock(), **options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
def store() -> Iterator[CountingStore]:
    opened = CountingStore()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("path", "ends_s"),
    [
        (RANGE.format(query="up"), 60),
        ("/api/v1/query?query=sum(up)&time=60", 60),
        ("/api/v1/query?query=up&time=30", 30),
        ("/api/v1/series?match[]=up&start=0&end=60", 60),
        ("/api/v1/label/n/values?start=0&end=60", 60),
    ],
)
async def test_an_answer_is_kept_until_a_sample_of_its_time_comes(
    store: CountingStore, path: str, ends_s: int
) -> None:
    await store.add(1, 10_000)
    async with served(store, answers=AnswerCache(store.sample_changes)) as client:
        first = (await client.get(path)).json()
        assert first["data"]
        await store.add(2, ends_s * 1_000 + 1)
        assert (await client.get(path)).json() == first
        assert store.reads == 1
        await store.add(3, ends_s * 1_000)
        assert (await client.get(path)).json() != first
        assert store.reads == 2


@pytest.mark.parametrize("query", ["up offset -1m", "up @ 200", "sum_over_time(up[1m:] offset -1m)"])
async def test_what_looks_ahead_depends_on_every_write(store: CountingStore, query: str) -> None:
    await store.add(1, 10_000)
    async with served(store, answers=AnswerCache(store.sample_changes)) as client:
        for _ in range(2):
            await client.get(RANGE.format(query=query))
        assert store.reads == 1
        await store.add(2, 100_000)
        answer = await client.get(RANGE.format(query=query))
        assert answer.json()["data"]["result"]
        assert store.reads == 2


async def test_an_answer_about_now_is_not_kept(store: CountingStore) -> None:
    async with served(store, answers=AnswerCache(store.sample_changes)) as client:
        for _ in range(2):
            assert (await client.get("/api/v1/query?query=up")).status_code == 200
    assert store.reads == 2


async def test_a_removal_ends_every_answer(store: CountingStore) -> None:
    await store.add(1, 10_000)
    async with served(store, answers=AnswerCache(store.sample_changes)) as client:
        assert (await client.get(RANGE.format(query="up"))).json()["data"]["result"]
        await store.sweep(older_than_ms=86_400_000)
        assert (await client.get(RANGE.format(query="up"))).json()["data"]["result"] == []


async def test_warnings_are_part_of_what_is_kept(store: CountingStore) -> None:
    await store.add(1, 10_000)
    await store.add(1, 20_000)
    async with served(store, answers=AnswerCache(store.sample_changes)) as client:
        first, second = [(await client.get(RANGE.format(query="rate(up[1m])"))).json() for _ in range(2)]
    assert store.reads == 1
    assert first == second
    assert "might not be a counter" in first["infos"][0]


async def test_the_least_used_answers_go_first(store: CountingStore) -> None:
    answers = AnswerCache(store.sample_changes, max_bytes=2_000)
    for question in ("a", "b", "a", "c"):
        if answers.get(question) is None:
            answers.keep(question, bytes(400), version=0, until_ms=0)
    assert [answers.get(question) is not None for question in "abc"] == [True, False, True]
    for question, size in (("too large", 4_000), ("x" * 4_000, 1)):
        answers.keep(question, bytes(size), version=0, until_ms=0)
        assert [answers.get(question) for question in ("a", "c", question)] == [None, None, None]


LOKI, TEMPO = "/loki/loki/api/v1/query_range?query={a=%22b%22}", "/tempo/api/search?q={}"


@pytest.mark.parametrize("path", [f"{LOKI}&start=1&end=9", f"{TEMPO}&start=1&end=9"])
async def test_logs_and_traces_are_kept_until_any_is_written(path: str) -> None:
    with closing(CountingTelemetry()) as store:
        app = Starlette(
            routes=[
                Mount("/loki", loki_api.create_app(logql.Engine(store), store, store,
                                                   answers=AnswerCache(store.log_changes))),
                Mount("/tempo", tempo_api.create_app(traceql.Engine(store), store,
                                                     answers=AnswerCache(store.span_changes))),
            ]
        )  # fmt: skip
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

            async def ask() -> tuple[str, int]:
                before = store.reads
                return (await client.get(path)).text, store.reads - before

            async def write() -> None:
                at_ns = 2 * 10**9 + store.reads
                span = Span(f"{at_ns:032x}", "ab" * 8, "", "step", 1, at_ns, at_ns + 1)
                await store.write(logs=[LogRecord(at_ns, "line", {"a": "b"})], spans=[span])

            await write()
            first, reads = await ask()
            assert reads
            assert await ask() == (first, 0)
            await write()
            second, reads = await ask()
            assert reads
            assert len(second) > len(first)
            await store.sweep(older_than_ms=86_400_000)
            assert len((await ask())[0]) < len(first)


@pytest.mark.parametrize("path", ["query_range", "query"])
async def test_traceql_metrics_leave_out_what_is_not_over_so_that_they_change_by_themselves(
    path: str,
) -> None:
    clock = FakeClock()
    now_s = int(clock.now().timestamp())
    asked = f"/api/metrics/{path}?q={{}}|rate()&start={now_s - 120}&end={now_s + 600}&step=60"
    with closing(MemoryStore()) as store:
        await store.write(
            spans=[Span("1" * 32, "ab" * 8, "", "step", 1, (now_s - 90) * 10**9, now_s * 10**9)]
        )

        async def ask(app: Starlette) -> str:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return (await client.get(asked)).text

        answers = AnswerCache(store.span_changes)
        keeps = tempo_api.create_app(traceql.Engine(store), store, clock=clock, answers=answers)
        first = await ask(keeps)
        clock.advance(300)
        anew = tempo_api.create_app(traceql.Engine(store), store, clock=clock)
        assert await ask(keeps) == await ask(anew) != first


@pytest.mark.parametrize("path", [LOKI, f"{LOKI}&time=1&end=9", TEMPO, f"{TEMPO}&end=9"])
async def test_logs_and_traces_of_no_certain_time_are_not_kept(path: str) -> None:
    with closing(CountingTelemetry()) as store:
        answers = AnswerCache(store.log_changes)
        app = Starlette(
            routes=[
                Mount("/loki", loki_api.create_app(logql.Engine(store), store, store, answers=answers)),
                Mount("/tempo", tempo_api.create_app(traceql.Engine(store), store, answers=answers)),
            ]
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get(path)).status_code == 200
            assert not answers._kept


def test_threads_take_turns_more_often_than_python_has_them_do() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)
        share_the_interpreter()
        assert sys.getswitchinterval() < 0.001
    finally:
        sys.setswitchinterval(before)


class Gate:
    """A call that waits until it is let go on, and counts how often it was made."""

    def __init__(self) -> None:
        self.calls = 0
        self.began = asyncio.Semaphore(0)
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()

    def call(self) -> int:
        self.calls += 1
        self._loop.call_soon_threadsafe(self.began.release)
        asyncio.run_coroutine_threadsafe(self._open.wait(), self._loop).result()
        return self.calls

    def open(self) -> None:
        self._open.set()


async def _stays() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def test_equal_questions_that_wait_share_one_evaluation_and_none_joins_one_that_runs() -> None:
    queries, gate = QueryPool(threads=1), Gate()
    running = asyncio.create_task(queries.run(gate.call, _stays, question="same"))
    await gate.began.acquire()
    waiting = [asyncio.create_task(queries.run(gate.call, _stays, question="same")) for _ in range(3)]
    other = asyncio.create_task(queries.run(lambda: -1, _stays, question="other"))
    await asyncio.sleep(0)
    gate.open()
    assert await running == 1
    assert await asyncio.gather(*waiting, other) == [2, 2, 2, -1]
    queries.close()


async def test_a_client_that_leaves_takes_nothing_from_those_that_ask_the_same() -> None:
    queries, gate = QueryPool(threads=1), Gate()
    running = asyncio.create_task(queries.run(gate.call, _stays))
    await gate.began.acquire()
    first, second = (
        asyncio.create_task(queries.run(lambda: "answer", _stays, question="same")) for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    gate.open()
    assert (await running, await second) == (1, "answer")
    queries.close()


async def test_the_last_client_that_leaves_ends_what_all_of_them_waited_for() -> None:
    queries, gate = QueryPool(threads=1), Gate()
    running = asyncio.create_task(queries.run(gate.call, _stays))
    await gate.began.acquire()
    leaving = [asyncio.create_task(queries.run(lambda: "old", _stays, question="same")) for _ in range(2)]
    await asyncio.sleep(0)
    for client in leaving:
        client.cancel()
    await asyncio.wait(leaving)
    later = asyncio.create_task(queries.run(lambda: "new", _stays, question="same"))
    await asyncio.sleep(0)
    gate.open()
    assert (await running, await later) == (1, "new")
    queries.close()
