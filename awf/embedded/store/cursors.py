"""Reading: one cursor per thread, because DuckDB refuses a connection that two threads use at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from awf.embedded import deadline
from awf.errors import QueryLimit, Unavailable

_MAX_INLINE_IDS = 200


CLOSE_TIMEOUT_S = 2.0


class _Cursor:
    """One thread's cursor; the lock is free while no query runs."""

    def __init__(self, connection: Any) -> None:
        self.duck = connection.cursor()
        self.busy = threading.Lock()

    def close(self, deadline: float) -> None:
        while not self.busy.acquire(timeout=0.02):
            self.duck.interrupt()
            if time.monotonic() > deadline:
                return
        self.duck.close()


class Cursors:
    """Runs queries from any thread."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[_Cursor] = []
        self._closed = False

    def columns(self, statement: str, values: Sequence[object], *, limit: int, what: str) -> dict[str, Any]:
        """Return named numpy columns. Raises QueryLimit when there are more than `limit` rows."""
        found: dict[str, Any] = self._run(statement, values, limit, lambda result: result.fetchnumpy())
        if len(next(iter(found.values()))) > limit:
            raise _too_many(what, limit)
        return found

    def rows(
        self, statement: str, values: Sequence[object], *, limit: int, what: str
    ) -> list[tuple[Any, ...]]:
        """Return rows as tuples. Raises QueryLimit when there are more than `limit`."""
        found: list[tuple[Any, ...]] = self._run(statement, values, limit, lambda result: result.fetchall())
        if len(found) > limit:
            raise _too_many(what, limit)
        return found

    def close(self) -> None:
        """Interrupt what runs and release the file."""
        with self._lock:
            self._closed = True
            cursors, self._open = self._open, []
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for cursor in cursors:
            cursor.close(deadline)
        self._connection.close()

    def _run(self, statement: str, values: Sequence[object], limit: int, fetch: Callable[[Any], Any]) -> Any:
        cursor = self._cursor()
        with cursor.busy, deadline.interrupted_by(cursor.duck.interrupt):
            try:
                return fetch(cursor.duck.execute(f"{statement} limit {limit + 1}", values))
            except duckdb.Error as error:
                deadline.check()
                raise Unavailable(f"the store cannot read: {error}") from error

    def _cursor(self) -> _Cursor:
        with self._lock:
            if self._closed:
                raise Unavailable("the store is closed")
            cursor: _Cursor | None = getattr(self._local, "cursor", None)
            if cursor is None:
                cursor = self._local.cursor = _Cursor(self._connection)
                self._open.append(cursor)
            return cursor


def ids_filter(ids: Sequence[int] | NDArray[np.uint32]) -> tuple[str, list[object]]:
    """Return an SQL condition on `sid` and the values that it takes. Short lists in the text prune row groups;
    long ones would cost more to parse than a join with them does."""
    if len(ids) <= _MAX_INLINE_IDS:
        return f"sid in ({','.join(map(str, ids))})", []
    return "sid in (select unnest(?::uinteger[]))", [np.asarray(ids).tolist()]


def _too_many(what: str, limit: int) -> QueryLimit:
    return QueryLimit(
        f"the query reads more than {limit} {what}",
        hint="Narrow the time range or add label matchers.",
    )
