"""The state database is locked or gone for a while: what was accepted goes on by itself once it is back."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx

from tests.faults._harness import by_form
from tests.faults._service import Service, until
from tests.faults._stories import telling
from tests.postgres import running_postgres

AWAY_S = by_form(2, 60)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold SQLite's lock of all writers, as another process that hangs in the middle does."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as held:
        held.execute("BEGIN EXCLUSIVE")
        yield


async def test_a_database_that_is_locked_for_a_while_loses_nothing_and_nobody_need_restart(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, "only")
    await _is_survived(service, lock(service.data_dir / "state.db"))


async def test_a_database_that_is_gone_for_a_while_loses_nothing_and_nobody_need_restart(
    tmp_path: Path,
) -> None:
    with running_postgres() as server:

        @contextlib.contextmanager
        def stop() -> Iterator[None]:
            server.stop()
            yield
            server.start()

        await _is_survived(Service(tmp_path, "only", database=server.new_database()), stop())


async def _is_survived(service: Service, being_away: AbstractContextManager[None]) -> None:
    """One incident is being worked on and one waits for an answer when it begins, one more comes meanwhile."""
    agents = ["plain-before", "plain-meanwhile", "asked-before"]
    async with telling(service.log.parent, agents, [service]) as stories:
        await stories.deliver(stories.begin("asked-before"))
        question = await stories.question("asked-before")
        await stories.deliver(stories.begin("plain-before"))
        with being_away:
            late = stories.begin("plain-meanwhile")
            refusal, is_answered = await asyncio.gather(service.post(late), service.approve(question))
            assert (refusal.status_code, refusal.json()["reason"]) == (
                httpx.codes.SERVICE_UNAVAILABLE, "state_unavailable",
            )  # fmt: skip
            assert not is_answered
            await asyncio.sleep(AWAY_S)
            assert await service.get("/healthz") is not None
        await stories.deliver(late)
        await until("taker of the answer", lambda: service.approve(question), 30)
        for agent in agents:
            incident = await stories.end(agent)
            story = "\n".join(f"{each['at']} {each['text']}" for each in incident["timeline"])
            assert (incident["status"], incident["action"]["outcome"]) == ("resolved", "verified"), story
            assert stories.done(agent) == [True], story
        assert (await service.ask("GET", "/audit/verify")).status_code == 200
