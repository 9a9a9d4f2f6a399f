"""Asks telemetry within a budget of calls and seconds, and remembers what could not be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from awf.core.escape import plain_text
from awf.errors import AwfError

T = TypeVar("T")


class Probe:
    """One investigation's budget. Build it inside a running event loop."""

    def __init__(self, *, max_calls: int, seconds: float) -> None:
        self._max_calls = max_calls
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seconds = seconds
        self.calls = 0
        self.not_looked_at: list[str] = []
        self.missing: set[str] = set()

    async def ask(self, what: str, query: Callable[[], Awaitable[list[T]]]) -> list[T]:
        """Return what a query finds; empty, and noted under `what`, when it cannot be asked in time."""
        left = self._deadline - asyncio.get_running_loop().time()
        if self.calls >= self._max_calls:
            return self._give_up(what, f"the budget of {self._max_calls} queries was spent")
        if left <= 0:
            return self._give_up(what, f"the {self._seconds:g} s of the investigation were over")
        self.calls += 1
        try:
            async with asyncio.timeout(left):
                return await query()
        except TimeoutError:
            return self._give_up(what, f"no answer within the {self._seconds:g} s of the investigation")
        except AwfError as error:
            return self._give_up(what, error.message)

    def _give_up(self, what: str, why: str) -> list[T]:
        self.missing.add(what)
        self.not_looked_at.append(f"{what}: {plain_text(why, 300)}")
        return []
