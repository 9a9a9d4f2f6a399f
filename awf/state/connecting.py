"""Engines for the two databases: how each is reached, and how a transaction begins there."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, StaticPool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from awf.errors import DataDirError, MissingDependency
from awf.state.documents import dump_json
from awf.state.running import WRITES, InThreads, OnLoop, Runner

BUSY_TIMEOUT_S = 15.0
"""How long a unit of work waits, in all, for a database that is busy or silent."""

CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 10.0
POOL_SIZE = 5

_POSTGRES = "postgresql"
LOCK_CLASS = 0x617766
"""Advisory locks are numbers shared by all users of a database: this one is ours, with the schema's hash."""
_WRITER = f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, hashtext(current_schema()))"

_PARAMETERS = frozenset({"host", "sslmode", "sslrootcert", "target_session_attrs"})

Password = Callable[[], str]
"""Asked at every new connection, so that a password can be changed while AWF runs."""


def shown(url: str) -> str:
    """Return a URL that may be printed, whether it can be read or not."""
    parsed = _read(url)
    if parsed is None or "@" in (parsed.host or ""):
        return re.sub(r"(://)?.*@", r"\1***@", url, flags=re.DOTALL)
    return parsed.render_as_string(hide_password=True)


def _read(url: str) -> URL | None:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        return None


def parse(url: str) -> URL:
    """Read a database URL; `postgres://`, `postgresql://` and `sqlite://` get our drivers. Raises DataDirError."""
    parsed = _read(url)
    backend = parsed.get_backend_name() if parsed else ""
    drivers = {
        "sqlite": "sqlite",
        _POSTGRES: "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    if parsed is None or backend not in drivers:
        raise DataDirError(
            f"{shown(url)!r} is not a database URL",
            hint="Write it as postgresql://user@host:5432/name or sqlite:////path/state.db",
        )
    if "@" in (parsed.host or ""):
        raise DataDirError(
            f"the password in the database URL {shown(url)!r} has an @ in it",
            hint="Write it as %40 there, or put the password into AWF_DATABASE_PASSWORD.",
        )
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise DataDirError(
            f"the database URL {shown(url)!r} has the port {parsed.port}",
            hint="A port is a number from 1 to 65535.",
        )
    return parsed.set(drivername=drivers[backend])


def sqlite_url(path: Path) -> str:
    """Return the URL of a file, whatever characters its name has."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def is_postgres(url: URL) -> bool:
    return url.get_backend_name() == _POSTGRES


def create_runner(url: URL, password: Password | None = None) -> Runner:
    """Return what runs units there; it has not connected yet. Raises DataDirError, MissingDependency."""
    try:
        return OnLoop(_postgres(url, password)) if is_postgres(url) else InThreads(_sqlite(url))
    except ModuleNotFoundError as error:
        extra = "postgres" if is_postgres(url) else "server"
        raise MissingDependency(
            f"the database driver {error.name} is not installed", hint=f"pip install 'awf[{extra}]'"
        ) from error
    except NoSuchModuleError as error:
        raise DataDirError(f"{url.drivername} is not supported: {error}") from error


def _sqlite(url: URL) -> Engine:
    options = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    pool = StaticPool if url.database in (None, "", ":memory:") else QueuePool
    engine = create_engine(url, connect_args=options, poolclass=pool, json_serializer=dump_json)
    _set_up_sqlite(engine)
    return engine


def _set_up_sqlite(engine: Engine) -> None:
    """WAL with a sync per commit, and transactions that begin where we say, not at the first write."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a reader that turns writer later could fail with SQLITE_BUSY at once.
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgres(url: URL, password: Password | None) -> AsyncEngine:
    options: dict[str, Any] = {
        "timeout": CONNECT_TIMEOUT_S,
        "server_settings": {
            "application_name": "awf",
            "timezone": "UTC",
            "statement_timeout": str(int(STATEMENT_TIMEOUT_S * 1000)),
            # A peer that vanished must not hold its locks for the two hours that TCP would give it.
            "idle_in_transaction_session_timeout": str(int(2 * BUSY_TIMEOUT_S * 1000)),
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    }
    if password is not None:
        options["password"] = password
    url, options["ssl"] = _encryption(url)
    engine = create_async_engine(
        url,
        connect_args={name: value for name, value in options.items() if value is not None},
        json_serializer=dump_json,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=STATEMENT_TIMEOUT_S,
        pool_pre_ping=True,
    )
    _set_up_postgres(engine)
    return engine


def _set_up_postgres(engine: AsyncEngine) -> None:
    """One writer at a time, of all processes: what BEGIN IMMEDIATE is to SQLite.

    Units read before they write. Alone, under READ COMMITTED, they see all that was committed before them:
    nothing has to be repeated, and numbers grow in commit order.
    """

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            connection.exec_driver_sql(_WRITER)


def _encryption(url: URL) -> tuple[URL, Any]:
    """Take libpq's `sslmode` and `sslrootcert` out of a URL: the driver has its own words for them."""
    unknown = sorted(set(url.query) - _PARAMETERS)
    if unknown:
        raise DataDirError(
            f"the parameter {unknown[0]!r} of the database URL is unknown",
            hint=f"Known are {', '.join(sorted(_PARAMETERS))}.",
        )
    mode, root = url.query.get("sslmode"), url.query.get("sslrootcert")
    url = url.difference_update_query(("sslmode", "sslrootcert"))
    if not isinstance(root, str):
        return url, mode
    if mode not in ("verify-ca", "verify-full"):
        raise DataDirError(
            f"sslrootcert is given with sslmode={mode}", hint="Say sslmode=verify-full (or verify-ca) too."
        )
    try:
        context = ssl.create_default_context(cafile=root)
    except OSError as error:
        raise DataDirError(f"sslrootcert={root} cannot be read: {error.strerror or error}") from error
    context.check_hostname = mode == "verify-full"
    return url, context
