"""Run an async service until a signal, then stop it within a limit."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 4.0
LAST_RESORT_S = 5.0
"""After which the process ends whatever still hangs. What it acknowledged is stored before it says so."""
PARENT_FLAG = "--with-parent"
"""Hidden flag of the service commands: stop when standard input closes, which is when `awf up` is gone."""


Stop = Callable[[], Awaitable[None]]
Start = Callable[[], Awaitable[Stop]]


def run_service(start: Start, *, with_parent: bool = False) -> int:
    """Call `start`, which returns the function that stops what it started; wait for SIGINT or SIGTERM;
    stop. Returns 0, or 1 when stopping took longer than the limit. A peer that hangs does not hold it up:
    then the process ends at once, with 1."""
    last_resort = threading.Timer(LAST_RESORT_S, os._exit, (1,))
    last_resort.daemon = True
    try:
        return asyncio.run(_run(start, last_resort, with_parent))
    finally:
        last_resort.cancel()


async def _run(start: Start, last_resort: threading.Timer, with_parent: bool) -> int:
    finished = asyncio.Event()

    def end() -> None:
        if not finished.is_set():
            finished.set()
            last_resort.start()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    parent = asyncio.create_task(_parent_gone(end)) if with_parent else None
    try:
        stop = await _unless_finished(start, finished)
        if stop is None:
            return 0
        await finished.wait()
    finally:
        if parent:
            parent.cancel()
    try:
        await asyncio.wait_for(stop(), STOP_TIMEOUT_S)
    except TimeoutError:
        logger.warning("stop took too long", extra={"limit_s": STOP_TIMEOUT_S})
        return 1
    return 0


async def _unless_finished(start: Start, finished: asyncio.Event) -> Stop | None:
    """Start, unless the end comes first: a start may wait long for a database, and must not keep it waiting."""
    starting = asyncio.ensure_future(start())
    ending = asyncio.create_task(finished.wait())
    try:
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            return starting.result()
        starting.cancel()
        await asyncio.wait({starting}, timeout=STOP_TIMEOUT_S)
        return None
    finally:
        ending.cancel()


async def _parent_gone(end: Callable[[], None]) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
    end()
