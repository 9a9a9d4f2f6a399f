"""The database file: how it is opened, and what goes wrong with it in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from awf.embedded.store.format import prepare
from awf.errors import DataDirError

MEMORY = ":memory:"
THREADS = 2


def connect(path: Path | None, memory_mb: int) -> Any:
    """Open the file (or a database in memory) and make its tables. Raises DataDirError."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "threads": str(THREADS),
        "checkpoint_threshold": "1TB",  # the keeper does it, so that no sender waits for one
        "pandas_analyze_sample": "0",  # columns of Python objects are text: no need to look
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if path is not None:
        _make_directory(path.parent)
        config["home_directory"] = str(path.parent)
        config["temp_directory"] = str(path.with_suffix(".tmp"))
    try:
        connection = duckdb.connect(str(path or MEMORY), config=config)
    except duckdb.Error as error:
        raise _refusal(path, str(error)) from error
    try:
        prepare(connection, str(path or MEMORY))
    except duckdb.Error as error:
        connection.close()
        raise _refusal(path, str(error)) from error
    except DataDirError:
        connection.close()
        raise
    return connection


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirError(
            f"the data directory {directory} cannot be used: {error.strerror or error}",
            hint="Set AWF_DATA_DIR to a directory that this user can write.",
        ) from error


def _refusal(path: Path | None, text: str) -> DataDirError:
    if "Could not set lock" in text:
        return DataDirError(
            f"{path} is in use by another process",
            hint="Stop the other AWF that runs on this data directory, or set AWF_DATA_DIR to another one.",
        )
    if "not a valid DuckDB" in text or "Serialization Error" in text or "older version" in text:
        return DataDirError(
            f"{path} is not a telemetry store that this version can read: {text.splitlines()[0]}",
            hint="Move the file away to start with an empty store, or set AWF_DATA_DIR to another directory.",
        )
    return DataDirError(
        f"{path} cannot be opened: {text.splitlines()[0]}",
        hint="Set AWF_DATA_DIR to a directory that this user can read and write.",
    )
