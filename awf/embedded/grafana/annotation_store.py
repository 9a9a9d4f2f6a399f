"""Annotations in a SQLite file, in Grafana's JSON shape. Every call runs in a thread."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from awf.errors import DataDirError, NotFound

FILE_NAME: Final = "annotations.sqlite"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS annotation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dashboard_uid TEXT NOT NULL, panel_id INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, time_end_ms INTEGER NOT NULL,
    text TEXT NOT NULL, data TEXT NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS annotation_time ON annotation (time_ms);
CREATE TABLE IF NOT EXISTS annotation_tag (
    annotation_id INTEGER NOT NULL REFERENCES annotation (id) ON DELETE CASCADE,
    position INTEGER NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (annotation_id, position)
);
CREATE INDEX IF NOT EXISTS annotation_tag_tag ON annotation_tag (tag);
"""

T = TypeVar("T")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AnnotationInput:
    """What a client says of an annotation. Times are milliseconds; a point ends when it begins."""

    text: str
    time_ms: int
    time_end_ms: int
    tags: tuple[str, ...] = ()
    dashboard_uid: str = ""
    panel_id: int = 0
    data: str = "{}"  # JSON


@dataclass(frozen=True, slots=True)
class AnnotationQuery:
    """What to list: annotations that overlap [start, end] and carry the tags."""

    start_ms: int | None = None
    end_ms: int | None = None
    tags: tuple[str, ...] = ()
    match_any: bool = False
    dashboard_uid: str = ""
    panel_id: int = 0
    limit: int = 100


class AnnotationStore:
    """Build it with `open`. One connection under a lock: annotations are few."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    async def open(cls, data_dir: Path) -> AnnotationStore:
        """Open or make the file in `data_dir`. Raises DataDirError."""
        return cls(await asyncio.to_thread(_connect, data_dir / FILE_NAME))

    async def close(self) -> None:
        await asyncio.to_thread(self._connection.close)

    async def add(self, annotation: AnnotationInput) -> int:
        """Store an annotation and return its id."""

        def run(db: sqlite3.Connection) -> int:
            now = time.time_ns() // 1_000_000
            row = db.execute(
                "INSERT INTO annotation (dashboard_uid, panel_id, time_ms, time_end_ms, text, data,"
                " created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (*_columns(annotation), now, now),
            ).fetchone()
            _write_tags(db, row["id"], annotation.tags)
            return int(row["id"])

        return await self._run(run)

    async def replace(self, annotation_id: int, annotation: AnnotationInput) -> None:
        """Raises NotFound."""

        def run(db: sqlite3.Connection) -> int:
            changed = db.execute(
                "UPDATE annotation SET dashboard_uid = ?, panel_id = ?, time_ms = ?, time_end_ms = ?,"
                " text = ?, data = ?, updated_ms = ? WHERE id = ?",
                (*_columns(annotation), time.time_ns() // 1_000_000, annotation_id),
            ).rowcount
            if changed:
                db.execute("DELETE FROM annotation_tag WHERE annotation_id = ?", (annotation_id,))
                _write_tags(db, annotation_id, annotation.tags)
            return changed

        if not await self._run(run):
            raise NotFound(f"annotation {annotation_id} does not exist")

    async def delete(self, annotation_id: int) -> None:
        """Raises NotFound."""
        statement = "DELETE FROM annotation WHERE id = ?"
        if not await self._run(lambda db: db.execute(statement, (annotation_id,)).rowcount):
            raise NotFound(f"annotation {annotation_id} does not exist")

    async def get(self, annotation_id: int) -> Json:
        """Raises NotFound."""
        found = await self._run(lambda db: _select(db, "id = ?", [annotation_id], 1))
        if not found:
            raise NotFound(f"annotation {annotation_id} does not exist")
        return found[0]

    async def find(self, query: AnnotationQuery) -> list[Json]:
        """Return what matches, newest first."""
        conditions, values = _conditions(query)
        where = " AND ".join(conditions) or "TRUE"
        return await self._run(lambda db: _select(db, where, values, query.limit))

    async def tags(self, containing: str, limit: int) -> list[Json]:
        """Return the tags in use whose name contains a text, with how often."""
        statement = (
            "SELECT tag, count(DISTINCT annotation_id) AS count FROM annotation_tag"
            " WHERE instr(lower(tag), lower(?)) GROUP BY tag ORDER BY tag LIMIT ?"
        )
        return await self._run(lambda db: [dict(row) for row in db.execute(statement, (containing, limit))])

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def locked() -> T:
            with self._lock, self._connection:
                return work(self._connection)

        return await asyncio.to_thread(locked)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, check_same_thread=False, timeout=5.0)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(_SCHEMA)
    except sqlite3.Error as error:
        raise DataDirError(
            f"{path} cannot be used: {error}", hint="Check the owner of AWF_DATA_DIR."
        ) from error
    return connection


def _columns(annotation: AnnotationInput) -> tuple[object, ...]:
    return (
        annotation.dashboard_uid, annotation.panel_id, annotation.time_ms,
        annotation.time_end_ms, annotation.text, annotation.data,
    )  # fmt: skip


def _write_tags(db: sqlite3.Connection, annotation_id: int, tags: Sequence[str]) -> None:
    rows = [(annotation_id, position, tag) for position, tag in enumerate(tags)]
    db.executemany("INSERT INTO annotation_tag VALUES (?, ?, ?)", rows)


def _conditions(query: AnnotationQuery) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []

    def add(condition: str, *bound: object) -> None:
        conditions.append(condition)
        values.extend(bound)

    if query.start_ms is not None:
        add("time_end_ms >= ?", query.start_ms)
    if query.end_ms is not None:
        add("time_ms <= ?", query.end_ms)
    if query.dashboard_uid:
        add("dashboard_uid = ?", query.dashboard_uid)
    if query.panel_id:
        add("panel_id = ?", query.panel_id)
    if query.tags:
        marks = ", ".join("?" * len(query.tags))
        needed = 1 if query.match_any else len(set(query.tags))
        add(
            f"(SELECT count(DISTINCT tag) FROM annotation_tag WHERE annotation_id = id AND tag IN ({marks})) >= ?",
            *query.tags,
            needed,
        )
    return conditions, values


def _select(db: sqlite3.Connection, where: str, values: Sequence[object], limit: int) -> list[Json]:
    rows = db.execute(
        f"SELECT * FROM annotation WHERE {where} ORDER BY time_ms DESC, id DESC LIMIT ?", (*values, limit)
    ).fetchall()
    return [_json(db, row) for row in rows]


def _json(db: sqlite3.Connection, row: sqlite3.Row) -> Json:
    tags = db.execute(
        "SELECT tag FROM annotation_tag WHERE annotation_id = ? ORDER BY position", (row["id"],)
    ).fetchall()
    return {
        "id": row["id"], "alertId": 0, "alertName": "", "dashboardId": 0,
        "dashboardUID": row["dashboard_uid"], "panelId": row["panel_id"], "userId": 0,
        "newState": "", "prevState": "", "created": row["created_ms"], "updated": row["updated_ms"],
        "time": row["time_ms"], "timeEnd": row["time_end_ms"], "text": row["text"],
        "tags": [tag["tag"] for tag in tags], "login": "", "email": "", "avatarUrl": "",
        "data": json.loads(row["data"]),
    }  # fmt: skip
