"""The audit log's chain: whatever is done to entries behind AWF's back, the next verification says where."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from awf.errors import Conflict
from awf.state import State


@pytest.fixture
async def state() -> AsyncIterator[State]:
    async with await State.open() as state:
        for number in range(1, 9):
            await state.audit.append(actor="ana", event="e", subject=f"s{number}", detail={"n": number})
        yield state


async def run(state: State, *statements: str) -> None:
    for statement in statements:
        await state.database.write(lambda conn, text=statement: conn.exec_driver_sql(text).rowcount)


EDITS = {
    "the actor": ("UPDATE audit SET actor = 'bo' WHERE seq = 4",),
    "the time": ("UPDATE audit SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 4",),
    "the event": ("UPDATE audit SET event = 'f' WHERE seq = 4",),
    "the subject": ("UPDATE audit SET subject = 'x' WHERE seq = 4",),
    "the detail": ("UPDATE audit SET detail = '{\"n\": 5}' WHERE seq = 4",),
    "the hash": (f"UPDATE audit SET hash = '{'0' * 64}' WHERE seq = 4",),
    "what it follows": (f"UPDATE audit SET previous_hash = '{'1' * 64}' WHERE seq = 4",),
}
REMOVALS = {
    "the first": ("DELETE FROM audit WHERE seq = 1", 1),
    "one in the middle": ("DELETE FROM audit WHERE seq = 4", 4),
    "the newest": ("DELETE FROM audit WHERE seq = 8", 8),
    "the newest three": ("DELETE FROM audit WHERE seq > 5", 6),
    "all": ("DELETE FROM audit", 1),
}
ORDERS = {
    "two swapped": (
        "UPDATE audit SET seq = 100 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 5",
        "UPDATE audit SET seq = 5 WHERE seq = 100",
    ),
    "one moved to the end": ("UPDATE audit SET seq = 9 WHERE seq = 3",),
    "one removed and the rest moved up": (
        "DELETE FROM audit WHERE seq = 3",
        *(f"UPDATE audit SET seq = {n - 1} WHERE seq = {n}" for n in range(4, 9)),
    ),
}  # fmt: skip


async def test_what_nobody_touched_is_whole(state: State) -> None:
    assert await state.audit.verify() == 8


@pytest.mark.parametrize("what", EDITS)
async def test_an_edited_entry_is_named(state: State, what: str) -> None:
    await run(state, *EDITS[what])
    with pytest.raises(Conflict, match=r"audit entry [45] "):
        await state.audit.verify()


@pytest.mark.parametrize("what", REMOVALS)
async def test_a_removed_entry_is_named(state: State, what: str) -> None:
    statement, seq = REMOVALS[what]
    await run(state, statement)
    with pytest.raises(Conflict, match=f"audit entry {seq} "):
        await state.audit.verify()


@pytest.mark.parametrize("what", REMOVALS)
async def test_a_removed_entry_is_found_after_others_were_written(state: State, what: str) -> None:
    statement, seq = REMOVALS[what]
    await run(state, statement)
    await state.audit.append(actor="ana", event="e", subject="later", detail={})
    with pytest.raises(Conflict, match=f"audit entry {seq} "):
        await state.audit.verify()


@pytest.mark.parametrize("what", ORDERS)
async def test_entries_in_another_order_are_found(state: State, what: str) -> None:
    await run(state, *ORDERS[what])
    with pytest.raises(Conflict, match="audit entry 3 "):
        await state.audit.verify()
