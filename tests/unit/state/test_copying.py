"""State moves from a file to PostgreSQL whole, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from awf.core.incidents import ActionCall, Approval, ApprovalStatus, Incident, IncidentStatus
from awf.core.ports import Delivery
from awf.core.types import ApprovalId, EngineId, EngineInfo, ExecutionId, IncidentId
from awf.errors import Conflict, DataDirError
from awf.settings import Settings, load
from awf.state import State
from awf.wiring.state import copy_state, database_url, open_state
from tests.postgres import PASSWORD, Postgres
from tests.unit.agents._system import alert

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    url = postgres.new_database()
    yield url
    postgres.drop(url)


@pytest.fixture
def settings(tmp_path: Path, database: str) -> Settings:
    return load(data_dir=tmp_path, database_url=database, database_password=PASSWORD)


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    """A file with something in it of everything that matters."""
    path = tmp_path / "state.db"
    async with await State.open(f"sqlite:///{path}", control_timeout_s=0.01) as state:
        await state.incidents.at_desk(lambda desk: desk.receive([Delivery([alert()], b"\x00\xff")]))
        await state.incidents.save(
            Incident(IncidentId("inc_1"), IncidentStatus.HELD, "critical", (alert(),), NOW)
        )
        await state.approvals.create(
            Approval(
                ApprovalId("apr_1"), IncidentId("inc_1"), ApprovalStatus.PENDING, ActionCall("a", {"n": 1}), "s", "w",
                "approver", NOW, NOW + timedelta(days=3650),
            )
        )  # fmt: skip
        for number in range(1200):
            await state.audit.append(
                actor="a", event="e", subject="é\x00", detail={"n": number / 3, "t": "\x00"}
            )
        await state.controls.register(EngineInfo(EngineId("e1"), (), (), 4))
        event = {
            "type": "workflow.started",
            "workflow_id": "w",
            "execution_id": "x1",
            "id": "v1",
            "time_ns": 1,
        }
        await state.executions.append_events(EngineId("e1"), [event])
        await state.tokens.ensure("ada", "viewer", "token of ada")
        await state.switch.set_paused(True, by="ada")
    return path


async def test_everything_arrives_and_goes_on_where_it_was(settings: Settings, source: Path) -> None:
    copied = await copy_state(settings, source)
    assert (copied["incidents"], copied["audit"], copied["events"]) == (1, 1200, 1)
    state = await open_state(settings)
    try:
        assert (await state.incidents.get(IncidentId("inc_1"))).alerts == (alert(),)
        assert await state.incidents.at_desk(lambda desk: desk.receive([Delivery([alert()], b"{}")])) == [[]]
        assert [each.id for each in await state.approvals.pending()] == ["apr_1"]
        assert (await state.executions.get(ExecutionId("x1"))).workflow_id == "w"
        assert await state.tokens.authenticate("token of ada") is not None
        assert await state.switch.is_paused()
        await state.audit.append(actor="a", event="e", subject="s", detail={})
        assert await state.audit.verify() == 1201
    finally:
        await state.aclose()


async def test_a_file_of_an_older_awf_lacks_newer_tables(settings: Settings, source: Path) -> None:
    with sqlite3.connect(source) as connection:
        connection.execute("DROP TABLE outbox")
    copied = await copy_state(settings, source)
    assert ("outbox" in copied, copied["audit"]) == (False, 1200)


async def test_a_target_that_is_in_use_is_left_as_it_is(settings: Settings, source: Path) -> None:
    state = await open_state(settings)
    await state.aclose()
    with pytest.raises(Conflict, match="the target is not empty: tokens"):
        await copy_state(settings, source)
    state = await open_state(settings)
    assert (await state.incidents.list()).items == ()
    await state.aclose()


async def test_a_copy_that_fails_in_the_middle_leaves_nothing(
    settings: Settings, source: Path, postgres: Postgres, database: str
) -> None:
    async with await State.open(database_url(settings), password=lambda: PASSWORD):
        pass
    postgres.sql("ALTER TABLE events ADD CHECK (false)", database=database.rpartition("/")[2])
    with pytest.raises(Exception, match="check constraint"):
        await copy_state(settings, source)
    assert postgres.sql("SELECT count(*) FROM audit", database=database.rpartition("/")[2]) == "0"


async def test_the_file_stays_as_it_is(settings: Settings, source: Path) -> None:
    before = source.read_bytes()
    await copy_state(settings, source)
    assert source.read_bytes() == before


async def test_a_database_of_another_program_is_refused_and_gets_no_tables_of_ours(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(DataDirError, match="no such table: schema_version"):
        await copy_state(settings, path)
    assert path.read_bytes() == before


async def test_a_file_whose_service_runs_is_not_copied(settings: Settings, source: Path) -> None:
    async with await State.open(f"sqlite:///{source}") as running:
        service = running.leases("a service")
        await service.beat()
        with pytest.raises(Conflict, match=r"an AWF service uses .*state\.db"):
            await copy_state(settings, source)
        await service.leave()
        assert await copy_state(settings, source)


async def test_a_database_whose_service_runs_is_not_copied_into(settings: Settings, source: Path) -> None:
    async with await open_state(settings) as running:
        await running.leases("a service").beat()
        with pytest.raises(Conflict, match="an AWF service uses the target"):
            await copy_state(settings, source)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "there is no file"), (b"no database " * 100, "not a database")]
)
async def test_a_file_that_is_none_is_told(
    settings: Settings, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "other.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataDirError, match=said):
        await copy_state(settings, path)
