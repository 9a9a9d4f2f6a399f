"""`kill -9` at the writes of an incident, of one of two services on one database: the other, or it again, goes on.

What was done is read from the engine's own journal. The short form dies where it matters most; the long form
(`make faults`) before and after every write that there is, and prints them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults._harness import by_form
from tests.faults._service import services_on, until
from tests.faults._stories import Stories, in_letters, telling
from tests.postgres import Postgres

PLAIN = (
    "after Incidents.at_desk#1",
    "after Attempts.begin#1",
    "after Controls.submit#1",
    "before Attempts.end#1",
)
ASKED = ("after Approvals.create#1",)
ANSWERED = ("after Approvals.decide#1", "after Controls.submit#1")
KINDS = {"plain": PLAIN, "asked": ASKED, "answered": ANSWERED}
"""What a story is about: an action that is allowed, one that is asked about, and the answer to the question."""
AT_ONCE = 4
TRIES = 3


class Killing:
    """Tells stories in each of which a service dies at one write, and sees to it that all come to their end."""

    def __init__(self, stories: Stories, finishing: asyncio.TaskGroup) -> None:
        self._stories = stories
        self._finishing = finishing
        self._seats = asyncio.Semaphore(AT_ONCE)
        self._numbers: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()

    @property
    def told(self) -> int:
        """The number of stories, those included in which nobody died."""
        return self._numbers.total()

    async def kill(self, kind: str, point: str) -> None:
        """Let the service die there. The other one may be quicker: then it does not come to that point."""
        for _ in range(TRIES):
            if await self.tell(kind, point):
                self.killed[f"{kind} {point}"] += 1
                return

    async def tell(self, kind: str, point: str = "") -> bool:
        """Tell one story; whether the service died at that point."""
        mortal = self._stories.services[0]
        await self._seats.acquire()
        if not mortal.is_running:
            await mortal.start()
        await self._stories.engine()
        self._numbers[kind] += 1
        agent = name_of(kind, self._numbers[kind])
        alert = self._stories.begin(agent)
        question, is_done = "", False
        if kind == "answered":
            await self._stories.deliver(alert)
            question = await self._stories.question(agent)
            mortal.order(point, subject=question)
            is_done = await mortal.approve(question)
        else:
            mortal.order(point, subject=agent)
            is_done = await mortal.deliver(alert)
        finish = self._finish(agent, f"{kind}, {point}", alert=None if is_done else alert, question=question)
        task = self._finishing.create_task(finish)
        while not task.done() and mortal.is_running:
            await asyncio.sleep(0.05)
        mortal.withdraw()
        return mortal.is_killed

    async def _finish(self, agent: str, what: str, *, alert: dict[str, Any] | None, question: str) -> None:
        """Send again what was not taken, as Grafana and people do, answer what is asked, and look at the end."""
        try:
            if alert is not None:
                await until("taker", lambda: self._is_taken(alert), 60)
            if agent.startswith("asked"):
                question = question or await self._stories.question(agent)
                await until("taker", lambda: self._stories.services[-1].approve(question), 60)
            incident = await self._stories.end(agent)
        finally:
            self._seats.release()
        story = f"{what}:\n" + "\n".join(f"{each['at']} {each['text']}" for each in incident["timeline"])
        assert (incident["status"], incident["action"]["outcome"]) == ("resolved", "verified"), story
        assert self._stories.done(agent) == [True], story
        if agent.startswith("asked"):
            assert incident["approval_id"] == question, story
            approval = await self._stories.services[-1].get(f"/approvals/{question}")
            assert approval["status"] == "approved", story

    async def _is_taken(self, alert: dict[str, Any]) -> bool:
        return await self._stories.services[-1].deliver(alert)


def name_of(kind: str, number: int) -> str:
    """Return an agent's name; its end is its alone."""
    end = in_letters(f"{list(KINDS).index(kind)}{number:03}")
    return f"plain-{end}" if kind == "plain" else f"asked-{end}"


def chosen_kills() -> list[tuple[str, str]]:
    """Return the kills of the short form, or those of `AWF_TEST_KILL`: as the long one prints them, to see one again."""
    if told := os.environ.get("AWF_TEST_KILL"):
        return [(kind, point) for kind, _, point in (each.partition(" ") for each in told.split(", "))]
    return [(kind, point) for kind, points in KINDS.items() for point in points]


async def every_kill(killing: Killing, stories: Stories) -> list[tuple[str, str]]:
    """Tell a story of each kind in which nobody dies, and return the moments before and after each of its writes."""
    found = []
    for kind in KINDS:
        stories.points()
        assert not await killing.tell(kind)
        found += [(kind, f"{moment} {point}") for point in stories.points() for moment in ("before", "after")]
    return found


async def test_a_service_killed_at_any_write_costs_neither_an_incident_nor_a_second_action(
    tmp_path: Path, database: str
) -> None:
    agents = [name_of(kind, number) for kind in KINDS for number in range(1, by_form(20, 200))]
    async with telling(tmp_path, agents, services_on(database, tmp_path)) as stories:
        async with asyncio.TaskGroup() as finishing:
            killing = Killing(stories, finishing)
            kills = chosen_kills()
            if by_form(short=False, long=True):
                kills = await every_kill(killing, stories)
            for kind, point in kills:
                await killing.kill(kind, point)
        count = sum(killing.killed.values())
        print(f"killed at {count} of {len(kills)} writes: {', '.join(sorted(killing.killed))}")
        assert count >= by_form(len(kills) - 1, 50), killing.killed
        every = await stories.services[-1].all_of("/incidents")
        held = Counter(alert["fingerprint"] for each in every for alert in each["alerts"])
        assert (len(held), set(held.values())) == (killing.told, {1}), held
        assert await stories.services[-1].get("/approvals/pending") == {"items": [], "next_cursor": None}
        assert (await stories.services[-1].ask("GET", "/audit/verify")).status_code == 200


async def test_a_service_that_was_only_stopped_past_its_lease_does_not_act_when_it_goes_on(
    tmp_path: Path, postgres: Postgres
) -> None:
    url = postgres.new_database()
    async with telling(tmp_path, ["plain-a"], services_on(url, tmp_path)) as stories:
        slow, _ = stories.services
        slow.order("before Controls.submit#1", subject="plain-a", number="SIGSTOP")
        assert await slow.deliver(stories.begin("plain-a"))
        incident = await stories.end("plain-a")
        assert (incident["status"], stories.done("plain-a")) == ("resolved", [True])
        assert stories.points()[-1] == "Controls.submit#1", "it sleeps with the order in its hand"
        slow.signal(signal.SIGCONT)
        await until("word that it was too slow", lambda: slow.says("another service has taken"), 30)
        assert stories.done("plain-a") == [True]
        assert await stories.incidents("plain-a") == [incident]
        assert (await slow.ask("GET", "/audit/verify")).status_code == 200
    postgres.drop(url)
