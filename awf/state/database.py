"""One connection pool, units of work, and word to whoever waits for a change."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, StaticPool, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from awf.core.clock import Clock, isoformat
from awf.errors import DataDirError, MissingDependency, Unavailable
from awf.state.schema import METADATA, SCHEMA_VERSION, schema_version

T = TypeVar("T")

BUSY_TIMEOUT_S = 15.0
_WRITES = "awf_writes"


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

    def __init__(self, engine: AsyncEngine, clock: Clock, *, poll_s: float = 1.0) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})
        self._write_lock = asyncio.Lock()
        self._shares_connection = isinstance(engine.pool, StaticPool)
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
        """Run a unit that only reads."""
        return await self._finish(self._run(work, self._engine, locked=self._shares_connection))

    async def write(self, work: Callable[[Connection], T], *, topic: str = "") -> T:
        """Run a unit that may write; once it is committed, whoever waits for `topic` wakes."""
        result = await self._finish(self._run(work, self._writer, locked=True))
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
        await self._engine.dispose()

    async def _run(self, work: Callable[[Connection], T], engine: AsyncEngine, *, locked: bool) -> T:
        async with AsyncExitStack() as stack:
            if locked:
                await stack.enter_async_context(self._write_lock)
            try:
                connection = await stack.enter_async_context(engine.begin())
                return await connection.run_sync(work)
            except OperationalError as error:
                raise Unavailable(
                    f"the state database does not answer: {error.orig}",
                    hint="Check the disk and whether another process holds the database.",
                ) from error

    async def _finish(self, unit: Coroutine[Any, Any, T]) -> T:
        if self.is_closed:
            unit.close()
            raise Unavailable("the state database is closed", hint="The server is shutting down.")
        task = asyncio.create_task(unit)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone; an unread exception would be a warning


async def open_database(url: str, clock: Clock, *, poll_s: float) -> Database:
    """Connect, create what is missing and check the version. Raises DataDirError in one sentence."""
    engine = _create_engine(url)
    shown = make_url(url).render_as_string(hide_password=True)
    database = Database(engine, clock, poll_s=poll_s)
    try:
        await asyncio.to_thread(_probe, engine.url)
        found = await database.write(_prepare)
    except (DBAPIError, Unavailable, OSError, sqlite3.Error) as error:
        await engine.dispose()
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise DataDirError(
            f"the state database {shown} cannot be used: {reason}",
            hint="Check the path and its permissions; move a damaged file aside to start afresh.",
        ) from error
    if found != SCHEMA_VERSION:
        await engine.dispose()
        raise DataDirError(
            f"the state database {shown} has version {found}, this AWF reads version {SCHEMA_VERSION}",
            hint="Run the AWF that wrote it, or a newer one.",
        )
    return database


def dump_json(value: Any) -> str:
    """Return a document's text. Half a surrogate pair, which JSON may hold and UTF-8 may not, becomes `?`:
    stored as it is, it would fail every answer that lists the document."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _probe(url: URL) -> None:
    """Fail on a file that cannot be opened before aiosqlite does: it leaves a thread behind when it fails."""
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        with contextlib.closing(sqlite3.connect(url.database, timeout=BUSY_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA schema_version")


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


def _create_engine(url: str) -> AsyncEngine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DataDirError(
            f"{url!r} is not a database URL", hint="Write it as sqlite+aiosqlite:///path/state.db"
        ) from error
    try:
        if parsed.get_backend_name() != "sqlite":
            return create_async_engine(parsed, pool_pre_ping=True, json_serializer=dump_json)
        if parsed.database in (None, "", ":memory:"):
            engine = create_async_engine(parsed, poolclass=StaticPool, json_serializer=dump_json)
        else:
            options = {"timeout": BUSY_TIMEOUT_S}
            engine = create_async_engine(parsed, connect_args=options, json_serializer=dump_json)
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"the database driver {error.name} is not installed", hint=f"pip install {error.name}"
        ) from error
    _set_up_sqlite(engine)
    return engine


def _set_up_sqlite(engine: AsyncEngine) -> None:
    """WAL with a sync per commit, and transactions that begin where we say, not at the first write."""

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a reader that turns writer later could fail with SQLITE_BUSY at once.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
