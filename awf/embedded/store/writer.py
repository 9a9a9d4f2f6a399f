"""One thread that commits for everyone: writes that wait together share one commit."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from awf.embedded.store.rows import Rows
from awf.errors import AwfError, Overloaded, Unavailable

_T = TypeVar("_T")
logger = logging.getLogger(__name__)

MAX_PENDING_ROWS = 200_000
MAX_ROWS_PER_COMMIT = 50_000


@dataclass(frozen=True, slots=True)
class _Write:
    rows: Rows
    done: Future[int] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Job:
    """Work that must not run beside a commit, such as retention."""

    work: Callable[[], None]
    done: Future[None] = field(default_factory=Future)


class GroupWriter:
    """Takes rows from any thread; a future resolves when its rows are durable.

    `commit` returns how many rows of each write it left out.
    """

    def __init__(
        self, commit: Callable[[Sequence[Rows]], list[int]], *, max_pending_rows: int = MAX_PENDING_ROWS
    ) -> None:
        self._commit = commit
        self._max_pending = max_pending_rows
        self._queue: deque[_Write | _Job] = deque()
        self._wake = threading.Condition()
        self._pending = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="awf-store-writer", daemon=True)
        self._thread.start()

    @property
    def pending_rows(self) -> int:
        return self._pending

    def submit(self, rows: Rows) -> Future[int]:
        """Queue rows; the future has how many of them were left out. Raises Overloaded when too many wait already, Unavailable after `close`."""
        write = _Write(rows)
        with self._wake:
            # One write above the bound still passes when nothing waits: it could never pass otherwise.
            if self._pending and self._pending + len(rows) > self._max_pending:
                raise Overloaded(
                    f"the store has {self._pending} rows waiting to be written",
                    hint="Send again later, and slower if it goes on.",
                )
            self._enqueue(write)
            self._pending += len(rows)
        return write.done

    def run(self, work: Callable[[], None]) -> Future[None]:
        """Run work in the writer's thread, between two commits."""
        job = _Job(work)
        with self._wake:
            self._enqueue(job)
        return job.done

    def close(self) -> None:
        """Commit what was accepted, then stop."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _enqueue(self, item: _Write | _Job) -> None:
        if self._closed:
            raise Unavailable("the store is closed")
        self._queue.append(item)
        self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                job, group = self._take()
            if job is not None:
                _settle(job.done, job.work)
            else:
                self._write(group)

    def _take(self) -> tuple[_Job | None, list[_Write]]:
        """Take either one job or the writes at the head of the queue, up to the size of a commit."""
        group: list[_Write] = []
        size = 0
        while self._queue and size < MAX_ROWS_PER_COMMIT:
            head = self._queue[0]
            if isinstance(head, _Job):
                if not group:
                    self._queue.popleft()
                    return head, []
                break
            self._queue.popleft()
            size += len(head.rows)
            group.append(head)
        return None, group

    def _write(self, group: list[_Write]) -> None:
        size = sum(len(write.rows) for write in group)
        wanted = [write for write in group if write.done.set_running_or_notify_cancel()]
        try:
            left_out = self._commit([write.rows for write in wanted])
        except Exception as error:  # boundary: one writer's bad row must not fail the others
            logger.warning("store commit failed", extra={"writes": len(wanted), "error": str(error)})
            for write in wanted:
                _settle(write.done, lambda rows=write.rows: self._commit([rows])[0])  # type: ignore[misc]
        else:
            for write, count in zip(wanted, left_out, strict=True):
                write.done.set_result(count)
        finally:
            with self._wake:
                self._pending -= size


def _settle(done: Future[_T], work: Callable[[], _T]) -> None:
    try:
        result = work()
    except AwfError as error:
        done.set_exception(error)
    except Exception as error:  # boundary: the waiting caller gets it, the thread lives on
        failure = Unavailable(f"the store cannot write: {error}")
        failure.__cause__ = error
        done.set_exception(failure)
    else:
        done.set_result(result)
