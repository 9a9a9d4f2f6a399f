"""Where queries run: a few threads of their own, so that whatever is asked, samples still come in and health
checks are still answered. A query has one deadline for waiting and running, and ends when its last client leaves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.types import Receive

from awf.embedded.deadline import Deadline, timed_out
from awf.errors import Overloaded, QueryCancelled

INTERRUPT_INTERVAL_S = 0.05
SWITCH_INTERVAL_S = 0.0005

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Evaluation(Generic[T]):
    """What one or several clients wait for."""

    work: asyncio.Task[T]
    clients: int = 0


class QueryPool:
    """Runs at most `threads` queries at once and lets `waiting` more wait."""

    def __init__(self, *, threads: int = 4, waiting: int = 2_000, timeout_s: float = 30.0) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._free = asyncio.Semaphore(threads)
        self._running_at_most = threads
        self._waiting_at_most = waiting
        self._waiting = 0
        self._timeout_s = timeout_s
        self._to_begin: dict[Hashable, _Evaluation[Any]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def flags(self) -> dict[str, str]:
        """Its limits, by the names of Prometheus' flags."""
        return {
            "query.max-concurrency": str(self._running_at_most),
            "query.timeout": f"{self._timeout_s:g}s",
        }

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(
        self,
        call: Callable[[], T],
        receive: Receive,
        timeout_s: float | None = None,
        *,
        question: Hashable = None,
    ) -> T:
        """Return what `call` returns in a thread. `receive` is the request's, its body already read.

        Calls with the same question (None: it has none) give the same, so those that wait for a thread share one;
        it begins after all of them have come, so none misses what was written before it.

        Raises QueryTimeout, at most after the pool's own timeout, QueryCancelled when the client is gone,
        and Overloaded when too many queries wait.
        """
        limit_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        evaluation = self._evaluation(call, limit_s, None if question is None else (question, limit_s))
        gone = asyncio.create_task(_disconnected(receive))
        evaluation.clients += 1
        try:
            await asyncio.wait({evaluation.work, gone}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if evaluation.work.done():
                return evaluation.work.result()
            raise QueryCancelled("the client ended the query") if gone.done() else timed_out(limit_s)
        finally:
            gone.cancel()
            evaluation.clients -= 1
            if not evaluation.clients:
                evaluation.work.cancel()

    def _evaluation(self, call: Callable[[], T], limit_s: float, question: Hashable) -> _Evaluation[T]:
        """Return one that has not begun yet; a new one where there is none that anybody still waits for."""
        found = self._to_begin.get(question)
        if found is None or not found.clients:
            work = asyncio.create_task(self._wait_and_run(call, limit_s, question))
            work.add_done_callback(_seen)
            found = _Evaluation(work)
            if question is not None:
                self._to_begin[question] = found
        return found

    async def _wait_and_run(self, call: Callable[[], T], limit_s: float, question: Hashable) -> T:
        try:
            await self._turn()
        finally:
            self._begun(question)
        return await self._run(call, Deadline(limit_s))

    def _begun(self, question: Hashable) -> None:
        evaluation = self._to_begin.get(question)
        if evaluation is not None and evaluation.work is asyncio.current_task():
            del self._to_begin[question]

    async def _turn(self) -> None:
        """Wait until a thread is free."""
        if self._free.locked() and self._waiting >= self._waiting_at_most:
            raise Overloaded(
                f"{self._running_at_most} queries are running and {self._waiting} are waiting",
                hint="Try again in a moment, or refresh dashboards less often.",
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def _run(self, call: Callable[[], T], deadline: Deadline) -> T:
        """Run in a thread. Who stops waiting leaves at once; the thread counts as busy until it has ended."""

        def bounded() -> T:
            with deadline.current():
                deadline.check()
                return call()

        running = asyncio.get_running_loop().run_in_executor(self._threads, bounded)
        running.add_done_callback(lambda _: self._free.release())
        running.add_done_callback(_seen)
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            ending = asyncio.create_task(_end(running, deadline))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            raise
        return running.result()


def share_the_interpreter() -> None:
    """Let this process' threads take turns ten times as often as Python does by itself: else an answer that is ready
    waits up to 5 ms at each of its system calls while queries compute."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)


async def _end(running: asyncio.Future[T], deadline: Deadline) -> None:
    """Interrupt a query until it has ended."""
    while not running.done():
        deadline.stop(QueryCancelled("the query was ended"))
        await asyncio.wait({running}, timeout=INTERRUPT_INTERVAL_S)


def _seen(done: asyncio.Future[T]) -> None:
    """Take note of the error of what nobody waits for any more, which asyncio would else complain about."""
    if not done.cancelled():
        done.exception()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
