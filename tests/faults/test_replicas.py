"""`kill -9` at the writes of an incident: on SQLite the service starts again, on PostgreSQL a second one takes over.

What was done is read from the engine's own journal. The short form dies where it matters most; the long form
(`make faults`) before and after every write that there is, and prints them.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults._harness import by_form
from tests.faults._replicas import POLICY, Service, Stories, running_engine, until
from tests.postgres import Postgres

PLAIN = (
    "after Incidents.add#1",
    "after Attempts.begin#1",
    "after Controls.submit#1",
    "before Attempts.end#1",
)
ASKED = ("after Approvals.create#1", "after Approvals.decide#1")
AGENTS = [f"{kind}-{number}" for kind in ("plain", "asked") for number in range(by_form(12, 150))]
FINISHING = 4


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of its own, empty for a file in the data directory."""
    if request.param == "sqlite":
        yield ""
        return
    server: Postgres = request.getfixturevalue("postgres")
    made = server.new_database()
    yield made
    server.drop(made)


@asynccontextmanager
async def telling(folder: Path, database: str) -> AsyncIterator[Stories]:
    """Yield stories over one service that starts again, or over two on one database, the second of which stays."""
    (folder / "policy.yaml").write_text(POLICY)
    services = [Service(folder, "mortal", database=database)]
    if database:
        services.append(Service(folder, "other", database=database))
        await services[-1].start()
    stories = Stories(folder, services)
    try:
        async with running_engine(folder, AGENTS, services[-1]):
            yield stories
    finally:
        for service in services:
            service.stop()


async def test_a_service_killed_at_any_write_costs_neither_an_incident_nor_a_second_action(
    tmp_path: Path, database: str
) -> None:
    async with telling(tmp_path, database) as stories:
        kills = [*_kills("plain", PLAIN), *_kills("asked", ASKED)]
        if by_form(short=False, long=True):
            kills = [each for kind in ("plain", "asked") for each in await _every_kill(stories, kind)]
        names = {
            kind: iter([name for name in AGENTS[::-1] if name.startswith(kind)])
            for kind in ("plain", "asked")
        }
        finishing, seats = [], asyncio.Semaphore(FINISHING)
        killed: Counter[str] = Counter()
        for kind, point in kills:
            for _ in range(3):  # the other service may be quicker: then this one does not come to that point
                await seats.acquire()
                agent = next(names[kind])
                died = await _live_until(stories, agent, point)
                finishing.append(asyncio.create_task(_finish(stories, agent, seats, f"{kind}, {point}")))
                killed[f"{kind}, {point}"] += died
                if died:
                    break
        await asyncio.gather(*finishing)
        print(f"killed at {sum(killed.values())} writes: {', '.join(sorted(killed))}")
        assert sum(killed.values()) >= by_form(len(kills) - 1, 50), killed


def _kills(kind: str, points: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(kind, point) for point in points]


async def _every_kill(stories: Stories, kind: str) -> list[tuple[str, str]]:
    """Tell one story in which nobody dies, and return the moments before and after each of its writes."""
    stories.points()
    agent = f"{kind}-0"
    assert not await _live_until(stories, agent, "")
    await _finish(stories, agent, asyncio.Semaphore(), f"{kind}, nobody dies")
    return [(kind, f"{moment} {point}") for point in stories.points() for moment in ("before", "after")]


async def _live_until(stories: Stories, agent: str, point: str) -> bool:
    """Let a service take an alert, and an answer if it asks, until it dies; whether it did."""
    mortal = stories.services[0]
    mortal.stop()
    await mortal.start(kill=point)
    doomed = mortal.process
    assert doomed is not None
    alert = stories.begin(agent)
    if not await mortal.deliver(alert):
        await _revive(stories.services[-1], within_s=0.0)
        await stories.deliver(alert)
    if len(stories.services) == 1:
        await _revive(mortal, within_s=1.0)
    if agent.startswith("asked"):
        question = await stories.question(agent)
        if not await mortal.approve(question):
            await _revive(stories.services[-1], within_s=0.0)
            await until("word of the answer", lambda: stories.services[-1].approve(question), 30)
    for _ in range(100):
        if doomed.poll() is not None:
            await _revive(stories.services[-1], within_s=0.0)
            return doomed.returncode == -signal.SIGKILL
        found = await stories.incidents(agent)
        if found and found[0]["resolved_at"]:
            return False
        await asyncio.sleep(0.2)
    return False


async def _revive(service: Service, *, within_s: float) -> None:
    """Start a service again if it dies within some time."""
    for _ in range(int(within_s / 0.1) + 1):
        if not service.is_running:
            await service.start()
            return
        await asyncio.sleep(0.1)


async def _finish(stories: Stories, agent: str, seats: asyncio.Semaphore, what: str) -> None:
    incident = await stories.end(agent)
    story = "\n".join(f"{each['at']} {each['kind']} {each['text']}" for each in incident["timeline"])
    assert (incident["status"], incident["action"]["outcome"]) == ("resolved", "verified"), (
        f"{what}:\n{story}"
    )
    assert stories.done(agent) == [True], f"{what}:\n{story}"
    if agent.startswith("asked"):
        approval: Any = await until(
            "the answer", lambda: stories.services[-1].get(f"/approvals/{incident['approval_id']}"), 30
        )
        assert approval["status"] == "approved", what
    seats.release()


async def test_a_service_that_was_only_stopped_past_its_lease_does_not_act_when_it_goes_on(
    tmp_path: Path, postgres: Postgres
) -> None:
    url = postgres.new_database()
    async with telling(tmp_path, url) as stories:
        slow, _ = stories.services
        await slow.start(kill="before Controls.submit#1", number="SIGSTOP")
        assert await slow.deliver(stories.begin("plain-0"))
        incident = await stories.end("plain-0")
        assert (incident["status"], stories.done("plain-0")) == ("resolved", [True])
        assert stories.points()[-1] == "Controls.submit#1", "it sleeps with the order in its hand"
        slow.signal(signal.SIGCONT)
        await until("word that it was too slow", lambda: _says(slow, "another service has taken"), 30)
        assert stories.done("plain-0") == [True]
        assert await stories.incidents("plain-0") == [incident]
        assert (await slow.get("/audit/verify")) is not None
    postgres.drop(url)


async def _says(service: Service, words: str) -> bool:
    return words in service.log.read_text()


async def test_in_a_storm_at_two_services_every_alert_is_accounted_for(tmp_path: Path, database: str) -> None:
    """1,000 alerts of 100 places, each sent to both; a tenth of them is sent again."""
    count, batch = by_form(400, 1000), 20
    async with telling(tmp_path, database) as stories:
        one = stories.services[0]
        other = stories.services[1] if database else Service(tmp_path, "other")
        (tmp_path / "scene.json").write_text("{}")
        await asyncio.gather(one.start(), *([] if database else [other.start()]))
        try:
            storm = [_storming(number) for number in range(count)]
            batches = [storm[begin : begin + batch] for begin in range(0, count, batch)]
            sent = [(each, number % 2) for number, each in enumerate([*batches, *batches[:: by_form(5, 10)]])]
            services = (one, other)
            assert all(await asyncio.gather(*(services[side].deliver(*each) for each, side in sent)))
            incidents = await _all_incidents(other)
            held = Counter(
                alert["fingerprint"] for each in incidents for alert in each["alerts"] if each["id"]
            )
            assert held == {alert["fingerprint"]: 1 for alert in storm}
            assert len(incidents) == 100
        finally:
            other.stop()


def _storming(number: int) -> dict[str, Any]:
    labels = {"alertname": "Storm", "agent_id": f"agent-{number % 100}", "pod": f"pod-{number}"}
    return {
        "status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-11-21T12:00:00Z",
        "fingerprint": f"storm-{number}",
    }  # fmt: skip


async def _all_incidents(service: Service) -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        page = await service.get(f"/incidents?limit=200{cursor}")
        assert page is not None
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
