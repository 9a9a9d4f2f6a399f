"""Everything of a SQLite file into another database, which must be empty: all of it or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, create_engine, func, insert, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from awf.errors import Conflict, DataDirError
from awf.state.failures import said
from awf.state.leases import LAPSE_S, living, moment_of
from awf.state.schema import METADATA, SCHEMA_VERSION, replicas, schema_version
from awf.state.state import State

_BATCH = 500
_TABLES = [table for table in METADATA.sorted_tables if table not in (schema_version, replicas)]


async def copy_file(path: Path, target: State, *, lapse_s: float = LAPSE_S) -> dict[str, int]:
    """Copy every row, see that the audit chain holds, and return the rows of each table.

    No service may run on either. Raises DataDirError for a file that is none of ours, Conflict for a service that
    runs, for a target that is not empty and for a chain that does not hold.
    """
    lapse = timedelta(seconds=lapse_s)
    copied = await target.database.write(lambda conn: _copy(path, conn, lapse), is_long=True)
    await target.audit.verify()
    return copied


def _copy(path: Path, conn: Connection, lapse: timedelta) -> dict[str, int]:
    _require_rest(conn, lapse, "the target")
    for table in _TABLES:
        if conn.execute(select(func.count()).select_from(table)).scalar():
            raise Conflict(
                f"the target is not empty: {table.name} has rows", hint="Copy into a new, empty database."
            )
    read_only = URL.create("sqlite", database=f"file:{_quoted(path)}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(read_only)
    try:
        with engine.connect() as source:
            _check(path, source)
            # A file that only an older AWF has opened lacks the tables that have come since.
            there = [table.name for table in _TABLES if source.dialect.has_table(source, table.name)]
            copied = {name: _copy_table(name, source, conn) for name in there}
        with engine.connect() as source:  # as it is now: a service may have begun meanwhile
            _require_rest(source, lapse, str(path))
        return copied
    except DBAPIError as error:
        if error.connection_invalidated or str(error.statement).startswith("INSERT"):
            raise
        raise DataDirError(f"{path} cannot be read as AWF's state: {said(error)}") from error
    finally:
        engine.dispose()


def _check(path: Path, source: Connection) -> None:
    found = source.execute(select(schema_version.c.version)).scalar()
    if found != SCHEMA_VERSION:
        raise DataDirError(f"{path} has version {found}, this AWF copies version {SCHEMA_VERSION}")


def _require_rest(conn: Connection, lapse: timedelta, where: str) -> None:
    since = (moment_of(conn) or datetime.now(UTC)) - lapse
    if conn.dialect.has_table(conn, replicas.name) and living(conn, since):
        raise Conflict(
            f"an AWF service uses {where}",
            hint=f"Stop it first. One that was killed counts for {lapse.total_seconds():.0f} s more.",
        )


def _copy_table(name: str, source: Connection, conn: Connection) -> int:
    table = METADATA.tables[name]
    count = 0
    rows = source.execute(select(table).order_by(*table.primary_key.columns))
    for batch in rows.mappings().partitions(_BATCH):
        conn.execute(insert(table), [dict(row) for row in batch])
        count += len(batch)
    return count


def _quoted(path: Path) -> str:
    return path.resolve().as_uri().removeprefix("file:")
