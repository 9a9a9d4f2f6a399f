"""How a unit of work is run: SQLite's in a thread, as it is; PostgreSQL's on the event loop, which its driver needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, StaticPool
from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

WRITES = "awf_writes"
"""The option of a connection whose transaction will write."""
THREADS = 8


class Runner(Protocol):
    """Runs units, each one transaction."""

    @property
    def url(self) -> URL: ...

    @property
    def shares_connection(self) -> bool:
        """Whether there is one connection for all, so that only one unit may run at a time."""
        ...

    async def run(self, work: Callable[[Connection], T], *, writes: bool) -> T: ...

    async def aclose(self) -> None: ...


class InThreads:
    """A driver that blocks. One trip to a thread for a whole unit: a busy loop and its statements do not take turns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="state")
        self.url = engine.url
        self.shares_connection = isinstance(engine.pool, StaticPool)

    async def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        def unit() -> T:
            with (self._writer if writes else self._engine).begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, unit)

    async def aclose(self) -> None:
        self._threads.shutdown()
        self._engine.dispose()


class OnLoop:
    """A driver of the event loop's. What only reads sees one moment of the database; the server's default isolation
    may be another."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writer = engine.execution_options(isolation_level="READ COMMITTED", **{WRITES: True})
        self.url = engine.url
        self.shares_connection = False

    async def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        async with (self._writer if writes else self._reader).begin() as connection:
            return await connection.run_sync(work)

    async def aclose(self) -> None:
        await self._engine.dispose()
