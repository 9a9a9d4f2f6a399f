"""Run an async service until a signal, then stop it within a limit."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 4.0
PARENT_FLAG = "--with-parent"
"""Hidden flag of the service commands: stop when standard input closes, which is when `awf up` is gone."""


def run_service(
    start: Callable[[], Awaitable[Callable[[], Awaitable[None]]]], *, with_parent: bool = False
) -> int:
    """Call `start`, which returns the function that stops what it started; wait for SIGINT or SIGTERM;
    stop. Returns 0, or 1 when stopping took longer than the limit."""
    return asyncio.run(_run(start, with_parent))


async def _run(start: Callable[[], Awaitable[Callable[[], Awaitable[None]]]], with_parent: bool) -> int:
    finished = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, finished.set)
    parent = asyncio.create_task(_parent_gone(finished)) if with_parent else None
    stop = await start()
    await finished.wait()
    if parent:
        parent.cancel()
    try:
        await asyncio.wait_for(stop(), STOP_TIMEOUT_S)
    except TimeoutError:
        logger.warning("stop took too long", extra={"limit_s": STOP_TIMEOUT_S})
        return 1
    return 0


async def _parent_gone(finished: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
    finished.set()
