"""Reading: one cursor per thread, because DuckDB refuses a connection that two threads use at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from awf.errors import QueryLimit, Unavailable

# Longer lists of ids are cheaper to filter in numpy than to parse as SQL.
_MAX_INLINE_IDS = 1_000


class Cursors:
    """Runs queries from any thread."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[Any] = []

    def columns(self, statement: str, values: Sequence[object], *, limit: int, what: str) -> dict[str, Any]:
        """Return named numpy columns. Raises QueryLimit when there are more than `limit` rows."""
        try:
            found = self._cursor().execute(f"{statement} limit {limit + 1}", values).fetchnumpy()
        except duckdb.Error as error:
            raise Unavailable(f"the store cannot read: {error}") from error
        if found and len(next(iter(found.values()))) > limit:
            raise _too_many(what, limit)
        return dict(found)

    def rows(
        self, statement: str, values: Sequence[object], *, limit: int, what: str
    ) -> list[tuple[Any, ...]]:
        """Return rows as tuples. Raises QueryLimit when there are more than `limit`."""
        try:
            found: list[tuple[Any, ...]] = (
                self._cursor().execute(f"{statement} limit {limit + 1}", values).fetchall()
            )
        except duckdb.Error as error:
            raise Unavailable(f"the store cannot read: {error}") from error
        if len(found) > limit:
            raise _too_many(what, limit)
        return found

    def close(self) -> None:
        """Interrupt what runs and release the file."""
        with self._lock:
            for cursor in self._open:
                cursor.interrupt()
                cursor.close()
            self._open.clear()

    def _cursor(self) -> Any:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._connection.cursor()
            with self._lock:
                self._open.append(cursor)
        return cursor


def ids_filter(ids: Sequence[int]) -> str:
    """Return an SQL condition on `sid`; for long lists only a bound, and `pick` must follow."""
    if len(ids) <= _MAX_INLINE_IDS:
        return f"sid in ({','.join(map(str, ids))})"
    return f"sid between {ids[0]} and {ids[-1]}"


def pick(found: NDArray[Any], ids: Sequence[int]) -> NDArray[np.bool_] | None:
    """Return which rows belong to `ids`, None when `ids_filter` has already seen to it."""
    if len(ids) <= _MAX_INLINE_IDS:
        return None
    wanted = np.zeros(ids[-1] + 1, dtype=np.bool_)
    wanted[np.asarray(ids)] = True
    chosen: NDArray[np.bool_] = wanted[found]
    return chosen


def _too_many(what: str, limit: int) -> QueryLimit:
    return QueryLimit(
        f"the query reads more than {limit} {what}",
        hint="Narrow the time range or add label matchers.",
    )
