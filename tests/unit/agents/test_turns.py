"""What comes at the same time is answered together, and nobody suffers for another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from awf.agents.turns import MAX_TOGETHER, MAX_WAITING, Turns
from awf.errors import StateUnavailable, Unavailable


class Halves:
    """Halves numbers; each turn waits until it may go on."""

    def __init__(self, error: type[Exception] = ZeroDivisionError) -> None:
        self.turns: list[list[int]] = []
        self.may_go_on = asyncio.Event()
        self.error = error

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.turns.append(list(numbers))
        await self.may_go_on.wait()
        if any(number % 2 for number in numbers):
            raise self.error(f"an odd one among {numbers}")
        return [number // 2 for number in numbers]


async def test_what_comes_while_one_is_answered_is_answered_in_the_next_turn() -> None:
    halves = Halves()
    turns = Turns(halves)
    first = asyncio.create_task(turns.ask(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(turns.ask(2 * number)) for number in range(MAX_TOGETHER + 1)]
    await asyncio.sleep(0)
    halves.may_go_on.set()
    assert await first == 1
    assert await asyncio.gather(*others) == list(range(MAX_TOGETHER + 1))
    assert [len(turn) for turn in halves.turns] == [1, MAX_TOGETHER, 1]


async def test_one_that_cannot_be_answered_is_no_harm_to_the_others() -> None:
    halves = Halves()
    halves.may_go_on.set()
    turns = Turns(halves)
    answers = await asyncio.gather(*map(turns.ask, (2, 3, 4)), return_exceptions=True)
    assert (answers[0], answers[2]) == (1, 2)
    assert isinstance(answers[1], ZeroDivisionError)


async def test_a_database_that_is_away_is_asked_once_for_all() -> None:
    halves = Halves(StateUnavailable)
    halves.may_go_on.set()
    turns = Turns(halves)
    answers = await asyncio.gather(*map(turns.ask, (1, 2, 3)), return_exceptions=True)
    assert all(isinstance(answer, StateUnavailable) for answer in answers)
    assert halves.turns == [[1, 2, 3]]


async def test_who_left_takes_nothing_from_the_others() -> None:
    halves = Halves()
    turns = Turns(halves)
    left, stayed = (asyncio.create_task(turns.ask(number)) for number in (2, 4))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    left.cancel()
    halves.may_go_on.set()
    assert await stayed == 2
    assert await turns.ask(6) == 3


async def test_more_than_can_wait_are_told_to_come_again() -> None:
    halves = Halves()
    turns = Turns(halves)
    waiting = [asyncio.create_task(turns.ask(2)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="wait for their turn"):
        await turns.ask(2)
    halves.may_go_on.set()
    assert set(await asyncio.gather(*waiting)) == {1}
