"""Where state is kept, opened as the settings say: SQLite in the data directory, or PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from awf.errors import DataDirError, StateUnavailable
from awf.settings import Settings
from awf.state import State
from awf.state.connecting import Password, sqlite_url
from awf.state.copying import copy_file
from awf.wiring.secrets import ADMIN, WORKER, read_or_make

logger = logging.getLogger(__name__)

WAIT_S = 60.0
"""How long a start waits for a database that does not answer: it may be starting too."""

_RETRY_S = 1.0


async def open_state(settings: Settings, *, wait_s: float = WAIT_S) -> State:
    """Open the state and make the first tokens valid. Raises DataDirError, MissingDependency, StateUnavailable."""
    admin = admin_token(settings)
    worker = settings.secret("worker_token") or read_or_make(settings.data_dir, WORKER)
    state = await _open_when_it_answers(settings, wait_s)
    try:
        await state.tokens.ensure("admin", "admin", admin)
        await state.tokens.ensure("worker", "worker", worker)
    except BaseException:
        await state.aclose()
        raise
    return state


def admin_token(settings: Settings) -> str:
    """Return the first admin's token, which is made when there is none. Raises DataDirError."""
    return settings.secret("bootstrap_token") or read_or_make(settings.data_dir, ADMIN)


async def copy_state(settings: Settings, source: Path) -> dict[str, int]:
    """Copy a SQLite file into the configured database, while no service runs on either; return rows by table.

    Raises DataDirError, Conflict, StateUnavailable.
    """
    if not await asyncio.to_thread(source.is_file):  # opening it would make it
        raise DataDirError(f"there is no file {source}", hint="AWF_DATA_DIR/state.db is the usual one.")
    async with await _open_when_it_answers(settings, 0) as new:
        return await copy_file(source, new, lapse_s=settings.lease_s)


def database_url(settings: Settings) -> str:
    """Return the URL of the state database; a password is not in it unless the user wrote it there."""
    return settings.database_url or sqlite_url(settings.data_dir / "state.db")


async def _open_when_it_answers(settings: Settings, wait_s: float) -> State:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    is_told = False
    while True:
        try:
            return await State.open(
                database_url(settings),
                control_timeout_s=settings.control_timeout_s,
                password=_password(settings),
            )
        except StateUnavailable as error:
            if loop.time() >= deadline:
                raise
            if not is_told:
                logger.warning("waiting for the state database", extra={"error": error.message})
                is_told = True
        await asyncio.sleep(_RETRY_S)


def _password(settings: Settings) -> Password | None:
    """Return what is asked at every connection: a file may be written anew while we run."""
    if not settings.secret("database_password"):
        return None
    return lambda: settings.secret("database_password")
