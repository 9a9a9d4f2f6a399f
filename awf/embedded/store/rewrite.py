"""Making a stopped store's file small again: everything is copied into a new file, which then takes its place."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from awf.embedded.store.duck import DuckStore
from awf.embedded.store.schema import connect
from awf.errors import DataDirError


def rewrite(path: Path, memory_mb: int) -> tuple[int, int]:
    """Sort what is in the tails, copy all into a new file; return the sizes before and after.

    The old file stays whole until the new one is on disk. Raises DataDirError.
    """
    before = path.stat().st_size
    store = DuckStore.open(path, memory_mb=memory_mb)
    try:
        store.fold()
    finally:
        store.close()
    fresh = path.with_name(path.name + ".compact")
    fresh.unlink(missing_ok=True)
    connection = connect(path, memory_mb)
    try:
        name = connection.execute("select current_database()").fetchone()[0]
        quoted = str(fresh).replace("'", "''")
        connection.execute(f"attach '{quoted}' as fresh")
        connection.execute(f'copy from database "{name}" to fresh')
        connection.execute("detach fresh")
    except duckdb.Error as error:
        fresh.unlink(missing_ok=True)
        raise DataDirError(
            f"{path} cannot be compacted: {error}",
            hint="Nothing was changed. Is there room for a copy of it?",
        ) from error
    finally:
        connection.close()
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return before, path.stat().st_size
