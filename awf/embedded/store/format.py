"""The version of what is in the file: made anew, migrated once, or refused; never overwritten."""

from __future__ import annotations

import logging
from typing import Any

from awf.embedded.store.layout import SIGNALS, transaction
from awf.errors import DataDirError

logger = logging.getLogger(__name__)

FORMAT = 2
"""1: one table a signal, with an index of traces. 2: a table a day and signal, and tails."""

_FIRST_FORMAT = frozenset({"series", "streams", "metadata", "samples", "exemplars", "logs", "spans"})
_TABLES = """
create table format (version integer);
create table if not exists series (id uinteger, labels varchar);
create table if not exists streams (id uinteger, labels varchar);
create table if not exists metadata (name varchar primary key, type varchar, help varchar, unit varchar);
create table seen (labels varchar, day integer, sid uinteger);
"""
# `seen` says which series and streams have rows in a day, so that label sets can go with their last day.


def prepare(connection: Any, name: str) -> None:
    """Bring a database to the present format. Raises DataDirError when it is not ours, or from a newer version."""
    tables = {table for (table,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
    if "format" in tables:
        _check(connection.execute("select max(version) from format").fetchone()[0], name)
        return
    if tables and not tables >= _FIRST_FORMAT:
        raise DataDirError(
            f"{name} is a database of something else: it has the tables {', '.join(sorted(tables)[:5])}",
            hint="Set AWF_DATA_DIR to a directory of AWF's own, or move that file away.",
        )
    if tables:
        logger.warning(
            "the telemetry store is brought to a new format", extra={"file": name, "format": FORMAT}
        )
        # In a transaction of its own: a table cannot be renamed in the one that drops its index.
        connection.execute("drop index if exists spans_by_trace")
    with transaction(connection):
        for signal in SIGNALS if tables else ():
            connection.execute(f"alter table {signal.name} rename to {signal.tail(1)}")
        connection.execute(_TABLES)
        connection.execute(f"insert into format values ({FORMAT})")


def _check(version: int | None, name: str) -> None:
    if version is None or version > FORMAT:
        raise DataDirError(
            f"{name} was written by a newer version of AWF: its format is {version}, this version reads {FORMAT}",
            hint="Run the newer version, or set AWF_DATA_DIR to another directory.",
        )
