"""What people are told is stored first, sent once, and sent again to who did not take it; on both databases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from awf.agents.telling import Channel, Teller
from awf.core import semconv as sc
from awf.core.counters import Counters
from awf.core.notices import Notice, NoticeKind, Told
from awf.core.types import IncidentId
from awf.errors import Unavailable
from awf.state import State
from awf.testing import FakeClock

NOTICE = Notice("inc_1/told/1", IncidentId("inc_1"), NoticeKind.TOLD, "title", "text", "critical")
ENDED = replace(NOTICE, id="inc_1/ended/1", kind=NoticeKind.ENDED)


@dataclass
class Line:
    """A channel that a test cuts."""

    is_cut: bool = False
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, notice: Notice, *, thread: str) -> str:
        if self.is_cut:
            raise Unavailable("cut")
        self.sent.append((notice.id, thread))
        return f"thread of {notice.id}"


@dataclass
class Scene:
    state: State
    clock: FakeClock
    lines: dict[str, Line]
    counters: Counters = field(default_factory=Counters)

    def teller(self, **channels: Channel) -> Teller:
        usual = {name: Channel(name, line) for name, line in self.lines.items()}
        return Teller(self.state.outbox, usual | channels, self.clock, self.counters)


async def _scene(clock: FakeClock, *names: str) -> Scene:
    return Scene(await State.open(clock=clock), clock, {name: Line() for name in names})


async def test_every_channel_is_told_once_and_later_notices_join_its_thread() -> None:
    scene = await _scene(FakeClock(), "a", "b")
    async with scene.state:
        teller = scene.teller()
        assert await teller.tell(NOTICE) == Told(("a", "b"))
        assert await teller.tell(NOTICE) == Told(())
        assert await teller.tell(ENDED) == Told(("a", "b"))
        assert scene.lines["a"].sent == [("inc_1/told/1", ""), ("inc_1/ended/1", "thread of inc_1/told/1")]


async def test_a_channel_that_is_cut_holds_up_nobody_and_gets_it_later_also_by_the_next_service() -> None:
    scene = await _scene(FakeClock(), "a", "b")
    async with scene.state:
        scene.lines["b"].is_cut = True
        told = await scene.teller().tell(NOTICE)
        assert told == Told(("a",), ("b: cut",))
        assert told.text == "told on-call by a; b: cut, which is tried again"
        assert scene.counters.get(sc.WATCHER_FAILURES, stage="notifying") == 1
        after_restart = scene.teller()
        assert await after_restart.deliver_due() == 0, "not before its time"
        scene.clock.advance(6)
        assert await after_restart.deliver_due() == 1
        scene.lines["b"].is_cut = False
        scene.clock.advance(11)
        assert await after_restart.deliver_due() == 1
        assert [line.sent for line in scene.lines.values()] == [[("inc_1/told/1", "")]] * 2


async def test_a_channel_with_a_bug_ends_nothing() -> None:
    class Buggy(Line):
        async def send(self, notice: Notice, *, thread: str) -> str:
            raise ValueError("not JSON")

    scene = await _scene(FakeClock(), "a")
    async with scene.state:
        scene.lines["b"] = Buggy()
        assert await scene.teller().tell(NOTICE) == Told(("a",), ("b: ValueError",))


async def test_a_letter_is_given_up_after_a_day_and_one_for_a_channel_that_is_gone_at_once() -> None:
    scene = await _scene(FakeClock(), "a", "b")
    async with scene.state:
        scene.lines["a"].is_cut = scene.lines["b"].is_cut = True
        await scene.teller().tell(NOTICE)
        del scene.lines["b"]
        tries = 0
        for _ in range(400):
            scene.clock.advance(600)
            tries += await scene.teller().deliver_due()
        assert 145 <= tries <= 160, "every ten minutes for a day, and once for the other"


async def test_channels_get_what_they_are_for_and_no_end_of_what_they_did_not_hear_of() -> None:
    scene = await _scene(FakeClock(), "a", "b", "c")
    async with scene.state:
        lines = scene.lines
        teller = scene.teller(
            b=Channel("b", lines["b"], kinds=frozenset({NoticeKind.ASKED, NoticeKind.ENDED})),
            c=Channel("c", lines["c"], severities=frozenset({"warning"})),
        )
        assert await teller.tell(NOTICE) == Told(("a",))
        assert await teller.tell(ENDED) == Told(("a",))
        asked = replace(NOTICE, id="inc_2/asked/1", incident_id=IncidentId("inc_2"), kind=NoticeKind.ASKED)
        assert await teller.tell(replace(asked, severity="warning")) == Told(("a", "b", "c"))


async def test_two_services_do_not_send_one_letter_twice() -> None:
    scene = await _scene(FakeClock(), "a")
    async with scene.state:
        await scene.state.outbox.put(NOTICE, ["a"])
        (letter,) = await scene.state.outbox.take()
        assert await scene.state.outbox.take() == []
        scene.clock.advance(61)  # who took it has died
        assert [each.id for each in await scene.state.outbox.take()] == [letter.id]
