"""Asks telemetry within a budget of calls, seconds and bytes, and remembers what could not be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from awf.core.escape import plain_text
from awf.core.ports import LogLine, Series
from awf.errors import AwfError

T = TypeVar("T")

MAX_BYTES = 32_000_000
_POINT_BYTES = 32  # a sample as Prometheus' JSON has it


class Probe:
    """One investigation's budget. Build it inside a running event loop."""

    def __init__(self, *, max_calls: int, seconds: float, max_bytes: int = MAX_BYTES) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seconds = seconds
        self.calls = 0
        self.bytes_read = 0
        self.not_looked_at: list[str] = []
        self.missing: set[str] = set()

    async def ask(self, what: str, query: Callable[[], Awaitable[list[T]]]) -> list[T]:
        """Return what a query finds; empty, and noted under `what`, when it cannot be asked within the budget.

        An answer that is there is used, also the one that spends the bytes: the next query is not asked any more.
        """
        left = self._deadline - asyncio.get_running_loop().time()
        if self.calls >= self._max_calls:
            return self._give_up(what, f"the budget of {self._max_calls} queries was spent")
        if self.bytes_read >= self._max_bytes:
            return self._give_up(what, f"the budget of {self._max_bytes:,} bytes was spent")
        if left <= 0:
            return self._give_up(what, f"the {self._seconds:g} s of the investigation were over")
        self.calls += 1
        try:
            async with asyncio.timeout(left):
                found = await query()
        except TimeoutError:
            return self._give_up(what, f"no answer within the {self._seconds:g} s of the investigation")
        except AwfError as error:
            return self._give_up(what, error.message)
        self.bytes_read += sum(map(_size, found))
        return found

    def _give_up(self, what: str, why: str) -> list[T]:
        self.missing.add(what)
        self.not_looked_at.append(f"{what}: {plain_text(why, 300)}")
        return []


def _size(found: object) -> int:
    """Return about how many bytes one part of an answer was: its texts and numbers, without the syntax around them."""
    if isinstance(found, Series):
        return _POINT_BYTES * len(found.points) + _size(found.labels)
    if isinstance(found, LogLine):
        return len(found.line) + _size(found.labels)
    if isinstance(found, Mapping):
        return sum(len(str(key)) + _size(value) for key, value in found.items())
    if isinstance(found, list):
        return sum(map(_size, found))
    return len(found) if isinstance(found, str) else 8
