"""Whether a silent engine is gone: not before a service could have heard it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from awf.core.types import EngineId, EngineInfo
from awf.state import State
from awf.state.leases import LeaseTable
from awf.testing import EPOCH, FakeClock

ENGINE = EngineId("e1")
OUTAGE_S, BEAT_S = 60.0, 5.0
Return = Callable[[State, LeaseTable], Awaitable[None]]


class BeatingClock(FakeClock):
    """A clock by which somebody beats while others sleep, from a moment on."""

    def __init__(self) -> None:
        super().__init__()
        self.beat: Callable[[], Awaitable[None]] | None = None
        self.from_s = 0.0

    @property
    def passed_s(self) -> float:
        return (self.now() - EPOCH).total_seconds()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.beat is not None and self.passed_s >= self.from_s:
            await self.beat()


@pytest.fixture
def clock() -> BeatingClock:
    return BeatingClock()


@pytest.fixture
async def state(clock: BeatingClock) -> AsyncIterator[State]:
    async with await State.open(clock=clock) as opened:
        await opened.controls.register(EngineInfo(ENGINE, (), (), 4, EPOCH))
        yield opened


@pytest.fixture
async def service(state: State) -> LeaseTable:
    found = state.leases("a")
    await found.beat()
    return found


async def came_back(state: State, service: LeaseTable) -> None:
    await service.beat()


async def started_again(state: State, service: LeaseTable) -> None:
    await state.leases("a").beat()


async def says_nothing_yet(state: State, service: LeaseTable) -> None:
    return


async def has_another_beside_it(state: State, service: LeaseTable) -> None:
    await service.beat()
    await state.leases("b").beat()


@pytest.mark.parametrize("back", [came_back, started_again, says_nothing_yet, has_another_beside_it])
async def test_after_an_outage_an_engine_has_time_to_report(
    state: State, service: LeaseTable, clock: BeatingClock, back: Return
) -> None:
    clock.advance(OUTAGE_S)
    await back(state, service)
    assert await state.controls.engines() == [], "it could not beat"
    clock.beat = lambda: state.controls.heartbeat(ENGINE)
    clock.from_s = OUTAGE_S + BEAT_S
    await state.controls.await_engines()
    assert [each.id for each in await state.controls.engines()] == [ENGINE]
    assert clock.passed_s == OUTAGE_S + BEAT_S, "no longer than it takes"


async def test_an_engine_that_does_not_come_back_is_not_waited_for_without_end(
    state: State, service: LeaseTable, clock: BeatingClock
) -> None:
    clock.advance(OUTAGE_S)
    await service.beat()
    clock.beat, clock.from_s = service.beat, 0.0
    await state.controls.await_engines()
    assert clock.now() - EPOCH == timedelta(seconds=OUTAGE_S + 15)
    await state.controls.await_engines()
    assert clock.now() - EPOCH == timedelta(seconds=OUTAGE_S + 15), "once is enough"


async def test_an_engine_that_fell_silent_while_it_could_be_heard_is_gone_at_once(
    state: State, service: LeaseTable, clock: BeatingClock
) -> None:
    for _ in range(6):
        clock.advance(BEAT_S)
        await service.beat()
    assert await state.controls.engines() == []
    await state.controls.await_engines()
    assert clock.passed_s == 6 * BEAT_S
