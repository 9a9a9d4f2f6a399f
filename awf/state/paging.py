"""Keyset pages, newest first, behind opaque cursors."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select

from awf.core.ports import Page
from awf.errors import InvalidInput

T = TypeVar("T")

MAX_LIMIT = 200
_CURSOR = re.compile(r"n[0-9]{1,18}")


def fetch_page(
    conn: Connection,
    query: Select[Any],
    number: ColumnElement[int],
    read: Callable[[Any], T],
    *,
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """Return up to `limit` rows below the cursor's number. Raises InvalidInput."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is {limit}, expected 1 to {MAX_LIMIT}", field="limit")
    if cursor is not None:
        query = query.where(number < _decode(cursor))
    rows = conn.execute(
        query.add_columns(number.label("_number")).order_by(number.desc()).limit(limit + 1)
    ).all()
    items = tuple(read(row) for row in rows[:limit])
    return Page(items, _encode(rows[limit - 1]._number) if len(rows) > limit else None)


def _encode(number: int) -> str:
    return base64.urlsafe_b64encode(f"n{number}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    if not _CURSOR.fullmatch(text):
        raise InvalidInput(
            f"cursor {cursor[:60]!r} cannot be read",
            hint="Send next_cursor of the page before it, unchanged.",
            field="cursor",
        )
    return int(text[1:])
