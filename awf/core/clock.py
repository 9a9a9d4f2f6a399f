"""Time as a dependency, so that tests can move it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how to wait. Times are timezone-aware UTC."""

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def isoformat(moment: datetime) -> str:
    """Return RFC 3339 in UTC with milliseconds and a `Z`, the form used on every wire of ours."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read RFC 3339; an offset is required. Raises ValueError naming the text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = f"time {text!r} has no UTC offset; write it as 2026-01-31T12:00:00Z"
        raise ValueError(msg)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        msg = f"time {text!r} is outside the years 1 to 9999 in UTC"
        raise ValueError(msg) from error


def unix_ns() -> int:
    """Return nanoseconds since the epoch."""
    return time.time_ns()
