"""Opening, refusing to open, and several processes on one file."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from pathlib import Path

import pytest

from awf.core.incidents import Incident, IncidentStatus
from awf.core.types import EngineId, ExecutionId, IncidentId, Json
from awf.errors import (
    Conflict,
    DataDirError,
    InvalidInput,
    MissingDependency,
    NotFound,
    StateUnavailable,
    Unavailable,
)
from awf.state import State
from awf.state.paging import MAX_LIMIT


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    url = url_of(tmp_path / "state.db")
    async with await State.open(url) as state:
        token = await state.tokens.create("ada", "admin")
    async with await State.open(url) as state:
        assert await state.tokens.authenticate(token) is not None


async def test_a_file_is_written_ahead_and_synced_at_every_commit(tmp_path: Path) -> None:
    async with await State.open(url_of(tmp_path / "state.db")) as state:
        mode, sync = await state.database.read(
            lambda conn: [
                conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
            ]
        )
    assert (mode, sync) == ("wal", 2)


async def test_a_damaged_file_is_one_clear_sentence(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, though long enough to be taken for one" * 100)
    with pytest.raises(DataDirError, match=r"state\.db cannot be used: file is not a database"):
        await State.open(url_of(path))


async def test_a_missing_directory_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataDirError, match="unable to open database file"):
        await State.open(url_of(tmp_path / "missing" / "state.db"))


async def test_a_database_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
        other.execute("INSERT INTO schema_version VALUES (99)")
    other.close()
    with pytest.raises(DataDirError, match="has version 99, this AWF reads version 2"):
        await State.open(url_of(path))
    with sqlite3.connect(path) as other:
        tables = other.execute("SELECT name FROM sqlite_master").fetchall()
    other.close()
    assert tables == [("schema_version",)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nope", "'nope' is not"),
        ("mysql://user:secret@host/awf", "is not"),
        ("postgresql://user:secret@host:port/awf", "is not"),
        ("user:secret@host/awf", "is not"),
    ],
)
async def test_a_wrong_url_is_named_without_its_password(url: str, said: str) -> None:
    with pytest.raises(DataDirError, match=f"{said} a database URL") as caught:
        await State.open(url)
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


async def test_a_missing_driver_is_named_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(MissingDependency, match="asyncpg") as caught:
        await State.open("postgresql://user:secret@127.0.0.1/awf")
    assert "awf[postgres]" in caught.value.hint


async def test_a_closed_state_says_so(tmp_path: Path) -> None:
    state = await State.open(url_of(tmp_path / "state.db"))
    await state.aclose()
    with pytest.raises(Unavailable, match="closed"):
        await state.switch.is_paused()


async def test_writes_behind_one_that_waits_for_another_process_are_refused_and_do_not_wait_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    async with await State.open(url_of(path)) as state:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            monkeypatch.setattr("awf.state.database.BUSY_TIMEOUT_S", 0.05)
            first = asyncio.create_task(state.tokens.create("ada", "admin"))
            await asyncio.sleep(0)
            behind = await asyncio.gather(
                *(state.tokens.create(name, "admin") for name in ("bob", "eve")), return_exceptions=True
            )
            assert [type(each) for each in behind] == [StateUnavailable, StateUnavailable]
            assert not first.done()
            other.execute("ROLLBACK")
        assert await state.tokens.authenticate(await first) is not None


async def test_two_processes_share_changes_and_one_audit_chain(tmp_path: Path) -> None:
    url = url_of(tmp_path / "state.db")
    async with await State.open(url, poll_s=0.05) as one, await State.open(url, poll_s=0.05) as other:
        changed = other.incidents.changed()
        incident = Incident(IncidentId("inc_1"), IncidentStatus.HELD, "none", (), one.database.now())
        await one.incidents.save(incident)
        async with asyncio.timeout(5):
            assert (await anext(changed)).id == "inc_1"
        await asyncio.gather(
            *(
                state.audit.append(actor="a", event="e", subject=str(index), detail={})
                for index in range(20)
                for state in (one, other)
            )
        )
        assert await one.audit.verify() == await other.audit.verify() == 40


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE audit SET subject = 'other' WHERE seq = 2", "entry 2 was changed"),
        ("UPDATE audit SET detail = '{\"n\": 9}' WHERE seq = 3", "entry 3 was changed"),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 1", "entry 1 was changed"),
        ("DELETE FROM audit WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE seq > 3", "entry 4 is missing, and so is everything after it"),
        ("DELETE FROM audit", "entry 1 is missing, and so is everything after it"),
    ],
)
async def test_the_audit_chain_shows_what_was_tampered_with(
    tmp_path: Path, statement: str, finding: str
) -> None:
    path = tmp_path / "state.db"
    async with await State.open(url_of(path)) as state:
        for index in range(5):
            await state.audit.append(actor="a", event="e", subject="s", detail={"n": index})
        with sqlite3.connect(path) as intruder:
            intruder.execute(statement)
        intruder.close()
        with pytest.raises(Conflict, match=finding):
            await state.audit.verify()


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
async def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    async with await State.open() as state:
        with pytest.raises(InvalidInput, match="limit"):
            await state.audit.list(limit=limit)


async def test_only_the_newest_executions_and_their_events_are_kept() -> None:
    def event(index: int) -> Json:
        return {
            "type": "workflow.completed",
            "workflow_id": "w",
            "execution_id": f"x{index}",
            "id": f"v{index}",
            "time_ns": 1,
        }

    async with await State.open(kept_executions=3) as state:
        for index in range(5):
            await state.executions.append_events(EngineId("e"), [event(index)])
        kept = await state.executions.list()
        assert [record.id for record in kept.items] == ["x4", "x3", "x2"]
        with pytest.raises(NotFound):
            await state.executions.get(ExecutionId("x0"))
        count = await state.database.read(
            lambda conn: conn.exec_driver_sql("SELECT count(*) FROM events").scalar()
        )
        assert count == 3


async def test_half_a_surrogate_pair_is_stored_as_text_and_the_audit_chain_holds() -> None:
    async with await State.open() as state:
        written = await state.audit.append(actor="a", event="e", subject="s", detail={"text": "x\ud800y é"})
        assert written.detail == {"text": "x?y é"}
        assert await state.audit.verify() == 1
        (entry,) = (await state.audit.list()).items
        assert entry.detail == written.detail
