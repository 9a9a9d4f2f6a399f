"""One AWF service per database: two watchers on the same incidents would act twice.

Several replicas that share the work are another matter; until then the second one is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
from pathlib import Path
from typing import IO, Self

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from awf.errors import ConfigError, StateUnavailable
from awf.state.connecting import BUSY_TIMEOUT_S, LOCK_CLASS, create_engine, is_postgres, parse, sqlite_url
from awf.state.failures import AWAY, is_away, said

logger = logging.getLogger(__name__)

CLAIM_S = 30.0
"""How long to wait for a predecessor: PostgreSQL notices within 25 s that its machine is gone."""

WATCH_S = 5.0
_RETRY_S = 0.5
_LOCK = f"SELECT pg_try_advisory_lock({LOCK_CLASS} + 1, hashtext(current_schema()))"


class SoleService:
    """The right to be this database's service, held until `aclose`.

    PostgreSQL gives it up with the connection, so it is watched and taken again when the database comes back.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._file: IO[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._is_held = False

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Return the right over a SQLite file, which is not opened for it."""
        return cls(create_engine(parse(sqlite_url(path))))

    async def claim(self, *, within_s: float = CLAIM_S) -> Self:
        """Take it. Raises ConfigError when another service has it all that time, StateUnavailable."""
        try:
            await self._wait(within_s)
        except BaseException:
            await self.aclose()
            raise
        if self._connection is not None:
            self._watch = asyncio.create_task(self._watch_over(), name="sole service")
        return self

    async def _wait(self, within_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + within_s
        is_told = False
        while not await self._take():
            if asyncio.get_running_loop().time() >= deadline:
                raise _taken(self._engine)
            if not is_told:
                logger.warning("waiting for another AWF service to leave the state database")
                is_told = True
            await asyncio.sleep(min(_RETRY_S, within_s))

    async def check(self) -> None:
        """Return while it is held. Raises StateUnavailable."""
        if not self._is_held:
            raise StateUnavailable(
                "another AWF service may be using the state database",
                hint="Stop one of them; this one goes on as soon as it is alone.",
            )

    async def aclose(self) -> None:
        """Give it up."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await self._drop()
        if self._file is not None:
            self._file.close()
            self._file = None
        self._is_held = False

    async def _take(self) -> bool:
        if is_postgres(self._engine.url):
            self._is_held = await self._take_in_postgres()
        else:
            self._is_held = self._take_beside_file()
        return self._is_held

    async def _take_in_postgres(self) -> bool:
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_S):
                if self._connection is None:
                    engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
                    self._connection = await engine.connect()
                return bool((await self._connection.exec_driver_sql(_LOCK)).scalar())
        except AWAY as error:
            await self._drop()
            if is_away(error):
                raise StateUnavailable(f"the state database does not answer: {said(error)}") from error
            raise

    def _take_beside_file(self) -> bool:
        database = self._engine.url.database
        if database in (None, "", ":memory:"):
            return True
        if self._file is None:
            self._file = Path(f"{database}.service").open("wb")  # noqa: SIM115 - held while the service runs
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # a file system without locks
            logger.warning("no other service is kept from this database", extra={"error": str(error)})
        return True

    async def _watch_over(self) -> None:
        is_told = False
        while True:
            await asyncio.sleep(WATCH_S if self._is_held else _RETRY_S)
            try:
                if self._is_held and self._connection is not None:
                    async with asyncio.timeout(BUSY_TIMEOUT_S):
                        await self._connection.exec_driver_sql("SELECT 1")
                    continue
                if await self._take():
                    logger.info("alone on the state database again")
                    is_told = False
                elif not is_told:
                    logger.error("another AWF service has taken the state database")
                    is_told = True
            except (StateUnavailable, *AWAY):
                await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._is_held = self._is_held and not is_postgres(self._engine.url)
        if connection is not None:
            with contextlib.suppress(*AWAY):
                async with asyncio.timeout(2.0):
                    await connection.invalidate()
                    await connection.close()


def _taken(engine: AsyncEngine) -> ConfigError:
    return ConfigError(
        f"another AWF service uses the state database {engine.url.render_as_string(hide_password=True)}",
        hint="Stop the other one, or give this one a database (AWF_DATABASE_URL) or AWF_DATA_DIR of its own.",
    )
