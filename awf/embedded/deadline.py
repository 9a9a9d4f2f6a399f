"""How long the running query may take. Whoever loops calls `check`; whoever waits in foreign code says how
it is woken, by `interrupted_by`. The query is the one of the context: threads get it with their context."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from awf.errors import AwfError, QueryTimeout


class Deadline:
    """The end of one query: by time, or because somebody stopped it. Safe to stop from any thread."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._ends = time.monotonic() + timeout_s
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []
        self._reason: AwfError | None = None

    def check(self) -> None:
        """Raise QueryTimeout when the time is over, or what the query was stopped with."""
        if self._reason is not None:
            raise self._reason
        if time.monotonic() > self._ends:
            raise timed_out(self.timeout_s)

    def stop(self, reason: AwfError) -> None:
        """End the query with an error; the first one counts. Each call interrupts what runs at the moment,
        because an interrupt between two statements is lost."""
        with self._lock:
            self._reason = self._reason or reason
            for interrupt in self._interrupts:
                interrupt()

    @contextlib.contextmanager
    def interrupted_by(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `interrupt` is what ends it early. It never comes after the block."""
        with self._lock:
            self._interrupts.append(interrupt)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Make it the deadline of this context."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def check() -> None:
    """Raise when the running query must end; outside of a query do nothing."""
    deadline = _CURRENT.get()
    if deadline is not None:
        deadline.check()


def interrupted_by(interrupt: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
    """As `Deadline.interrupted_by` of the running query; outside of a query do nothing."""
    deadline = _CURRENT.get()
    return contextlib.nullcontext() if deadline is None else deadline.interrupted_by(interrupt)


def timed_out(timeout_s: float) -> QueryTimeout:
    return QueryTimeout(
        f"query timed out in expression evaluation after {timeout_s:g} s",
        hint="Shorten the time range, raise the step, add matchers, or raise AWF_QUERY_TIMEOUT_S.",
    )
