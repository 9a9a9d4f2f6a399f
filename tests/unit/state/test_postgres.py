"""PostgreSQL as the state database: refusals, several processes, and what it does differently from SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from sqlalchemy import Connection

from awf.core.types import ControlKind
from awf.errors import Conflict, DataDirError, StateUnavailable
from awf.state import State
from awf.state.connecting import parse
from tests.postgres import PASSWORD, USER, Postgres


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as made:
        yield made


@pytest.fixture
def run_sql(postgres: Postgres, url: str) -> Callable[[str], str]:
    return lambda statement: postgres.sql(statement, database=url.rpartition("/")[2])


async def opened(url: str) -> State:
    return await State.open(url, poll_s=0.05, control_timeout_s=0.05, password=lambda: PASSWORD)


@pytest.fixture
async def state(url: str) -> AsyncIterator[State]:
    async with await opened(url) as found:
        yield found


# -- opening


async def test_a_wrong_password_is_one_sentence_that_shows_none(url: str) -> None:
    with pytest.raises(DataDirError, match="password authentication failed") as caught:
        await State.open(url, password=lambda: "hunter2")
    said = f"{caught.value.message} {caught.value.hint}"
    assert "AWF_DATABASE_PASSWORD" in said
    assert "hunter2" not in said


async def test_a_password_in_the_url_works_and_is_not_shown(url: str) -> None:
    with_password = str(parse(url).set(password=PASSWORD).render_as_string(hide_password=False))
    async with await State.open(with_password) as state:
        assert await state.tokens.list() == []
    with pytest.raises(DataDirError) as caught:
        await State.open(with_password.replace("/awf_", "/missing_"))
    assert "does not exist" in caught.value.message
    assert PASSWORD not in caught.value.message
    assert "test%3A" not in caught.value.message


async def test_a_user_who_may_not_create_tables_is_told_so(url: str, run_sql: Callable[[str], str]) -> None:
    run_sql("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'guest'")
    with pytest.raises(DataDirError, match="permission denied for schema public") as caught:
        await State.open(url.replace(f"//{USER}@", "//guest@"), password=lambda: "guest")
    assert "may create tables" in caught.value.hint


async def test_a_server_that_is_not_there_may_be_asked_later() -> None:
    with pytest.raises(StateUnavailable, match=r"at 127\.0\.0\.1 does not answer"):
        await State.open("postgresql://awf@127.0.0.1:9/awf")


async def test_a_database_of_a_newer_version_is_left_as_it_is(
    url: str, run_sql: Callable[[str], str]
) -> None:
    run_sql("CREATE TABLE schema_version (version int PRIMARY KEY); INSERT INTO schema_version VALUES (99)")
    with pytest.raises(DataDirError, match="has version 99, this AWF reads version 2"):
        await opened(url)
    assert (
        run_sql("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'")
        == "schema_version"
    )


async def test_processes_that_open_an_empty_database_at_once_all_find_it_made(url: str) -> None:
    states = await asyncio.gather(*(opened(url) for _ in range(5)))
    for state in states:
        assert await state.tokens.list() == []
        await state.aclose()


async def test_the_password_is_asked_at_every_connection(
    url: str, run_sql: Callable[[str], str], postgres: Postgres
) -> None:
    run_sql("DROP ROLE IF EXISTS turning; CREATE ROLE turning LOGIN SUPERUSER PASSWORD 'old'")
    secret = "old"
    async with await State.open(url.replace(f"//{USER}@", "//turning@"), password=lambda: secret) as state:
        run_sql("ALTER ROLE turning PASSWORD 'new'")
        secret = "new"
        run_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'turning'")
        assert await state.tokens.list() == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sslrootcert=/nowhere.pem", "sslmode="),
        ("sslmode=verify-full&sslrootcert=/nowhere.pem", "cannot be read"),
    ],
)
async def test_a_certificate_that_cannot_be_used_is_told(query: str, said: str) -> None:
    with pytest.raises(DataDirError, match=said):
        await State.open(f"postgresql://awf@127.0.0.1:9/awf?{query}")


async def test_a_dump_that_is_restored_goes_on_where_it_was(url: str, postgres: Postgres) -> None:
    async with await opened(url) as state:
        for index in range(20):
            await state.audit.append(actor="a", event="e", subject="é", detail={"n": index / 7})
        token = await state.tokens.create("ada", "viewer")
    copy = postgres.new_database()
    postgres.dump_and_restore(url, copy)
    async with await opened(copy) as state:
        assert await state.tokens.authenticate(token) is not None
        await state.audit.append(actor="a", event="e", subject="s", detail={})
        assert await state.audit.verify() == 21
    postgres.drop(copy)


# -- one writer


async def test_two_processes_make_one_audit_chain_and_one_order_per_key(url: str) -> None:
    async with await opened(url) as one, await opened(url) as other:
        await asyncio.gather(
            *(
                state.audit.append(actor="a", event="e", subject=str(index), detail={})
                for index in range(20)
                for state in (one, other)
            )
        )
        assert await one.audit.verify() == await other.audit.verify() == 40
        ordered = await asyncio.gather(
            *(
                state.controls.submit(
                    ControlKind.SET_WORKER_LIMIT, {"workers": 2}, requested_by="t", idempotency_key="one"
                )
                for _ in range(5)
                for state in (one, other)
            )
        )
        assert len({outcome.change.id for outcome in ordered}) == 1


async def test_the_audit_chain_shows_what_was_tampered_with(
    state: State, run_sql: Callable[[str], str]
) -> None:
    for index in range(3):
        await state.audit.append(actor="a", event="e", subject="s", detail={"n": index})
    run_sql("UPDATE audit SET detail = '{\"n\": 9}' WHERE seq = 2")
    with pytest.raises(Conflict, match="entry 2 was changed"):
        await state.audit.verify()


async def test_a_reader_sees_one_moment_and_may_not_write(state: State) -> None:
    def settings(conn: Connection) -> list[str]:
        names = ("transaction_isolation", "transaction_read_only", "application_name", "timezone")
        return [str(conn.exec_driver_sql(f"SHOW {name}").scalar()) for name in names]

    assert await state.database.read(settings) == ["repeatable read", "on", "awf", "UTC"]
    assert (await state.database.write(settings))[:2] == ["read committed", "off"]


async def test_the_servers_default_isolation_changes_nothing(url: str, run_sql: Callable[[str], str]) -> None:
    run_sql(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_isolation = 'serializable'")
    async with await opened(url) as one, await opened(url) as other:
        await asyncio.gather(
            *(each.audit.append(actor="a", event="e", subject="s", detail={}) for each in (one, other) * 5)
        )
        assert await one.audit.verify() == 10


async def test_a_unit_that_another_one_pushed_out_is_run_again(state: State) -> None:
    runs = 0

    def unlucky(conn: Connection) -> int:
        nonlocal runs
        runs += 1
        if runs < 3:
            conn.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'pushed out' USING ERRCODE = '40001'; END $$")
        return runs

    assert await state.database.write(unlucky) == 3


async def test_a_unit_that_is_always_pushed_out_is_given_up_as_unavailable(state: State) -> None:
    def hopeless(conn: Connection) -> None:
        conn.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'pushed out' USING ERRCODE = '40P01'; END $$")

    with pytest.raises(StateUnavailable, match="pushed out"):
        await state.database.write(hopeless)


async def test_a_mistake_in_a_statement_is_not_taken_for_an_outage(state: State) -> None:
    with pytest.raises(Exception, match="does not exist") as caught:
        await state.database.read(lambda conn: conn.exec_driver_sql("SELECT * FROM nothing"))
    assert not isinstance(caught.value, StateUnavailable)


@pytest.mark.parametrize("code", ["53100", "53300", "55P03", "57014", "57P03", "58030", "25006", "08006"])
async def test_a_server_that_cannot_do_its_part_is_unavailable(state: State, code: str) -> None:
    def refused(conn: Connection) -> None:
        conn.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{code}'; END $$")

    with pytest.raises(StateUnavailable, match="no room"):
        await state.database.write(refused)
    assert await state.tokens.list() == []
