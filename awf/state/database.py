"""Units of work on one connection pool, and word to whoever waits for a change."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, insert, select
from sqlalchemy.exc import DBAPIError

from awf.core.clock import Clock, isoformat
from awf.errors import DataDirError, StateUnavailable
from awf.state.connecting import BUSY_TIMEOUT_S, Password, create_runner, is_postgres, parse
from awf.state.failures import AWAY, is_away, is_repeatable, said, sqlstate
from awf.state.running import Runner
from awf.state.schema import METADATA, SCHEMA_VERSION, schema_version

T = TypeVar("T")
Locks = tuple[asyncio.Lock, ...]

_ATTEMPTS = 4


class Signals:
    """Wakes waiting tasks of this process. Take the ticket before looking, so that no change is missed."""

    def __init__(self) -> None:
        self._tickets: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def ticket(self, topic: str) -> asyncio.Event:
        return self._tickets[topic]

    def notify(self, topic: str) -> None:
        self._tickets.pop(topic, asyncio.Event()).set()

    def notify_all(self) -> None:
        for topic in list(self._tickets):
            self.notify(topic)


class Database:
    """Runs units of work: plain functions of a connection, each one transaction.

    A unit that has begun always ends: a caller that is cancelled stops waiting, the work goes on.
    (SQLAlchemy drops a connection that is cancelled in the middle, and with it an in-memory database.)
    """

    def __init__(self, runner: Runner, clock: Clock, *, poll_s: float = 1.0) -> None:
        self._runner = runner
        self._limit_s = BUSY_TIMEOUT_S if is_postgres(runner.url) else None  # SQLite keeps its own
        self._write_lock = asyncio.Lock()
        self._patience = asyncio.Lock()  # one at a time of those that are not urgent waits for the write lock
        self._running: set[asyncio.Task[Any]] = set()
        self._poll_s = poll_s
        self.clock = clock
        self.signals = Signals()
        self.is_closed = False

    def now_text(self) -> str:
        return isoformat(self.clock.now())

    def now(self) -> datetime:
        return self.clock.now()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a unit that only reads. Raises StateUnavailable."""
        locks = (self._write_lock,) if self._runner.shares_connection else ()
        return await self._finish(self._run(work, self._limit_s, locks, writes=False))

    async def write(
        self,
        work: Callable[[Connection], T],
        *,
        topic: str = "",
        is_long: bool = False,
        is_urgent: bool = False,
    ) -> T:
        """Run a unit that may write; once it is committed, whoever waits for `topic` wakes. A long one is not
        given up after the usual time; an urgent one goes before what waits to be written here.

        Raises StateUnavailable: then it was not done, or nobody knows whether it was.
        """
        limit_s = None if is_long else self._limit_s
        locks = (self._write_lock,) if is_urgent else (self._patience, self._write_lock)
        result = await self._finish(self._run(work, limit_s, locks, writes=True))
        if topic:
            self.signals.notify(topic)
        return result

    async def wait(self, ticket: asyncio.Event, timeout_s: float | None = None) -> None:
        """Wait for a ticket, at most one poll: another process may have written."""
        limit = self._poll_s if timeout_s is None else min(self._poll_s, timeout_s)
        try:
            async with asyncio.timeout(limit):
                await ticket.wait()
        except TimeoutError:
            return

    async def aclose(self) -> None:
        """End every waiting stream, let running units finish and close the connections."""
        self.is_closed = True
        self.signals.notify_all()
        if self._running:
            await asyncio.wait(self._running)
        await self._runner.aclose()

    async def _run(
        self, work: Callable[[Connection], T], limit_s: float | None, locks: Locks, *, writes: bool
    ) -> T:
        attempt = 1
        while True:
            try:
                async with asyncio.timeout(limit_s):
                    return await self._once(work, locks, writes=writes)
            except AWAY as error:
                if is_repeatable(error) and attempt < _ATTEMPTS:
                    await asyncio.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311
                    attempt += 1
                    continue
                if not is_away(error) and not is_repeatable(error):
                    raise
                raise _unavailable(self._runner.url, error) from error

    async def _once(self, work: Callable[[Connection], T], locks: Locks, *, writes: bool) -> T:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(
                BUSY_TIMEOUT_S
            ):  # whoever holds one may wait for another process as long
                for lock in locks:
                    await stack.enter_async_context(lock)
            return await self._runner.run(work, writes=writes)

    async def _finish(self, unit: Coroutine[Any, Any, T]) -> T:
        if self.is_closed:
            unit.close()
            raise StateUnavailable("the state database is closed", hint="The server is shutting down.")
        task = asyncio.create_task(unit)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone; an unread exception would be a warning


async def open_database(
    url: str, clock: Clock, *, poll_s: float, password: Password | None = None
) -> Database:
    """Connect, create what is missing and check the version.

    Raises DataDirError in one sentence, StateUnavailable for a server that may answer later, MissingDependency.
    """
    parsed = parse(url)
    shown = parsed.render_as_string(hide_password=True)
    runner = create_runner(parsed, password)
    database = Database(runner, clock, poll_s=poll_s)
    try:
        found = await database.write(_prepare)
    except StateUnavailable as error:
        await runner.aclose()
        if is_postgres(parsed) and not _is_refusal(error.__cause__):
            raise
        raise _unusable(shown, error.__cause__ or error, is_file=not is_postgres(parsed)) from error
    except DBAPIError as error:
        await runner.aclose()
        raise _unusable(shown, error, is_file=not is_postgres(parsed)) from error
    if found != SCHEMA_VERSION:
        await runner.aclose()
        raise DataDirError(
            f"the state database {shown} has version {found}, this AWF reads version {SCHEMA_VERSION}",
            hint="Run the AWF that wrote it, or let AWF_DATABASE_URL or AWF_DATA_DIR name another place.",
        )
    return database


def _unavailable(url: URL, error: BaseException) -> StateUnavailable:
    if is_postgres(url):
        where, hint = (
            f" at {url.host or 'localhost'}",
            "Is PostgreSQL running, and can it be reached from here?",
        )
    else:
        where, hint = "", "Check the disk and whether another process holds the database."
    if isinstance(error, TimeoutError):
        return StateUnavailable(f"the state database{where} did not answer in time", hint=hint)
    return StateUnavailable(f"the state database{where} does not answer: {said(error)}", hint=hint)


def _is_refusal(error: BaseException | None) -> bool:
    """Whether the server answered, and waiting will not help: a wrong password, no such database."""
    return error is not None and sqlstate(error).startswith(("28", "3D"))


def _unusable(shown: str, error: BaseException, *, is_file: bool) -> DataDirError:
    hint = (
        "Check the path and its permissions; move a damaged file aside to start afresh."
        if is_file
        else "Check AWF_DATABASE_URL and AWF_DATABASE_PASSWORD, and that the user may create tables there."
    )
    return DataDirError(f"the state database {shown} cannot be used: {said(error)}", hint=hint)


def _prepare(conn: Connection) -> int:
    """Read the version before touching anything: a newer schema must not get our tables."""
    if conn.dialect.has_table(conn, schema_version.name):
        found = conn.execute(select(schema_version.c.version)).scalar()
        if found is not None and found != SCHEMA_VERSION:
            return int(found)
    METADATA.create_all(conn)
    if conn.execute(select(schema_version.c.version)).scalar() is None:
        conn.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    return SCHEMA_VERSION
