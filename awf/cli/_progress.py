"""One line about long work, on a terminal and nowhere else."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

Tell = Callable[[str], None]


def progress(*, quiet: bool = False) -> tuple[Tell, Callable[[], None]]:
    """Return what shows one line of progress on a terminal, and what removes it."""
    if quiet or not sys.stderr.isatty():
        return lambda text: None, lambda: None

    def tell(text: str) -> None:
        print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)

    return tell, lambda: print("\r\033[K", end="", file=sys.stderr, flush=True)


async def telling(work: Awaitable[T], say: Callable[[], str], *, quiet: bool = False) -> T:
    """Await the work and show meanwhile, each half second, what `say` returns and for how long it has run."""
    tell, clear = progress(quiet=quiet)
    began = time.monotonic()
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=0.5))[0]:
            tell(f"{say()}, {time.monotonic() - began:.0f} s")
        return task.result()
    finally:
        task.cancel()
        clear()
