from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest

from awf.core.ports import EngineDirectory
from awf.core.semconv import EVENTS_DROPPED
from awf.core.types import AckStatus, ControlKind, EngineId
from awf.errors import NotFound, Unauthorized, Unavailable
from awf.orchestration import AgentResult, StepContext
from awf.orchestration.link import HEARTBEAT_S, EngineLink
from awf.orchestration.remote import HttpDirectory

from ._parts import Bench, echo, make_registry, make_step, make_workflow
from ._server import Directory, app, serving

TOKEN = "worker-token"


@contextlib.asynccontextmanager
async def running(link: EngineLink) -> AsyncIterator[None]:
    task = asyncio.create_task(link.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture(params=["in process", "over HTTP"])
async def sides(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Directory, Any]]:
    """The server's directory, and what an engine uses to reach it."""
    directory = Directory()
    if request.param == "in process":
        yield directory, directory
        return
    async with serving(app(directory, TOKEN)) as url:
        remote: EngineDirectory = HttpDirectory(url, token=TOKEN)
        yield directory, remote
        await remote.aclose()  # type: ignore[attr-defined]


def simple() -> Bench:
    return Bench(make_registry({"a": echo}, make_workflow("w", make_step("s"))))


async def test_an_engine_announces_itself_obeys_and_uploads(sides: tuple[Directory, Any]) -> None:
    directory, reached = sides
    async with simple() as bench:
        link = EngineLink(bench.engine, reached, reached, heartbeat_s=0.05)
        async with running(link):
            await directory.until(lambda: "e1" in directory.engines)
            assert directory.engines["e1"] == bench.engine.info()
            await directory.order(
                bench.order(ControlKind.START_EXECUTION, workflow_id="w", execution_id="x", input={"n": 1})
            )
            await directory.order(bench.order(ControlKind.SET_WORKER_LIMIT, workers=8))
            await directory.until(lambda: len(directory.acks) == 2)
            await directory.until(lambda: len(directory.events) == 6)
            await directory.until(lambda: directory.engines["e1"].workers == 8)
    assert [(a.change_id, a.engine_id, a.status) for a in directory.acks] == [
        ("c1", "e1", AckStatus.APPLIED), ("c2", "e1", AckStatus.APPLIED),
    ]  # fmt: skip
    assert directory.acks[1].before == {"workers": None}
    assert [event["type"] for event in directory.events] == [event.type.value for event in bench.events]
    assert directory.events[0]["data"] == {"input": {"n": 1}}


async def test_a_change_of_a_kind_that_only_newer_versions_know_is_refused_by_name_and_holds_up_nothing() -> (
    None
):
    directory = Directory()
    async with serving(app(directory, TOKEN)) as url, simple() as bench:
        remote = HttpDirectory(url, token=TOKEN)
        strange = replace(
            bench.order(ControlKind.CANCEL_EXECUTION, mood="calm"), kind=cast("Any", "set_mood")
        )
        await directory.order(strange)
        await directory.order(bench.order(ControlKind.SET_WORKER_LIMIT, workers=8))
        async with running(EngineLink(bench.engine, remote, remote)):
            await directory.until(lambda: len(directory.acks) == 2)
        await remote.aclose()
    assert [(ack.change_id, ack.status) for ack in directory.acks] == [
        ("c1", AckStatus.REFUSED), ("c2", AckStatus.APPLIED),
    ]  # fmt: skip
    assert "kind is 'set_mood'" in directory.acks[0].detail


async def test_a_server_that_forgot_the_engine_is_told_again() -> None:
    directory = Directory()
    async with simple() as bench, running(EngineLink(bench.engine, directory, directory, heartbeat_s=0.01)):
        await directory.until(lambda: directory.heartbeats > 0)
        directory.engines.clear()
        await directory.until(lambda: "e1" in directory.engines)


async def test_while_the_server_is_away_the_engine_goes_on_and_the_oldest_events_are_dropped() -> None:
    directory = Directory()
    directory.is_away = True
    async with simple() as bench:
        link = EngineLink(bench.engine, directory, directory, queue_size=6)
        async with running(link):
            for _ in range(3):
                await bench.engine.wait(await bench.engine.submit("w", {}))
            await bench.settle()
            directory.is_away = False
            await directory.until(lambda: len(directory.events) == 6)
    assert [event["id"] for event in directory.events] == [event.id for event in bench.events[-6:]]
    assert bench.emitter.counters.get(EVENTS_DROPPED, reason="upload_queue_full") == 12


async def test_while_the_server_is_away_an_engine_tries_no_rarer_than_it_would_say_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A service gives an order about as long as two heartbeats to be answered, and it may just have started again."""
    pauses, sleep = [], asyncio.sleep

    async def hurry(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", hurry)
    directory = Directory()
    directory.is_away = True
    async with simple() as bench, running(EngineLink(bench.engine, directory, directory)):
        while len(pauses) < 30:
            await sleep(0)
    assert max(pauses) <= HEARTBEAT_S


async def test_one_event_that_the_server_refuses_does_not_hold_up_the_others() -> None:
    directory = Directory()
    directory.refuse = lambda event: event["type"] == "agent.invoked"
    async with simple() as bench, running(EngineLink(bench.engine, directory, directory)):
        await bench.engine.wait(await bench.engine.submit("w", {}))
        await directory.until(lambda: len(directory.events) == 5)
    assert bench.emitter.counters.get(EVENTS_DROPPED, reason="upload_refused") == 1


async def test_what_is_left_is_uploaded_at_the_end_or_counted() -> None:
    for is_away, uploaded, dropped in ((False, 6, 0), (True, 0, 6)):
        directory = Directory()
        async with simple() as bench, running(EngineLink(bench.engine, directory, directory)):
            await bench.engine.wait(await bench.engine.submit("w", {}))
            await bench.settle()
            directory.is_away = is_away
        assert len(directory.events) == uploaded
        assert bench.emitter.counters.get(EVENTS_DROPPED, reason="upload_shutdown") == dropped


async def test_output_that_is_not_json_becomes_text() -> None:
    async def odd(context: StepContext) -> AgentResult:
        return AgentResult({"set": {1}, "number": float("nan"), "object": Unavailable("x")})

    directory, registry = Directory(), make_registry({"a": odd}, make_workflow("w", make_step("s")))
    async with serving(app(directory, TOKEN)) as url, Bench(registry) as bench:
        remote = HttpDirectory(url, token=TOKEN)
        async with running(EngineLink(bench.engine, remote, remote)):
            await bench.engine.wait(await bench.engine.submit("w", {}))
            await directory.until(lambda: len(directory.events) == 6)
        await remote.aclose()
    assert directory.events[-1]["data"]["output"]["s"] == {"set": [1], "number": "NaN", "object": "x"}


async def test_the_remote_raises_the_servers_own_errors() -> None:
    directory = Directory()
    async with serving(app(directory, TOKEN)) as url:
        remote, stranger = HttpDirectory(url, token=TOKEN), HttpDirectory(url, token="other")
        with pytest.raises(NotFound, match="engine e1 is not known"):
            await remote.heartbeat(EngineId("e1"))
        with pytest.raises(NotFound, match=r"engine a b\?c#d is not known"):
            await remote.heartbeat(EngineId("a b?c#d"))
        with pytest.raises(Unauthorized, match="no token"):
            await anext(stranger.changes(EngineId("e1"), after_token=0))
        await remote.aclose()
        await stranger.aclose()


async def test_a_server_that_is_not_there_is_unavailable_and_named() -> None:
    remote = HttpDirectory("http://127.0.0.1:1", token=TOKEN)
    with pytest.raises(Unavailable, match=r"the API at http://127\.0\.0\.1:1 does not answer"):
        await remote.heartbeat(EngineId("e1"))
    with pytest.raises(Unavailable):
        await anext(remote.changes(EngineId("e1"), after_token=0))
    await remote.aclose()
