"""Server-sent events that end when the client leaves or the server stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeVar

from sse_starlette import EventSourceResponse, ServerSentEvent

from awf.errors import InvalidInput

T = TypeVar("T")

KEEP_ALIVE_S = 10


async def until(stopping: asyncio.Event, source: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield from `source` until it ends or `stopping` is set."""
    stop = asyncio.create_task(stopping.wait())
    following: asyncio.Task[T] | None = None
    try:
        while not stopping.is_set():
            following = asyncio.ensure_future(_step(source))
            await asyncio.wait({stop, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                yield following.result()
            except StopAsyncIteration:
                return
    finally:
        for task in (stop, following):
            if task is not None and not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _step(source: AsyncIterator[T]) -> T:
    return await anext(source)


def message(event: str, data: object, *, position: int | None = None) -> ServerSentEvent:
    """Return one message; `position` becomes the id that Last-Event-ID brings back."""
    return ServerSentEvent(
        json.dumps(data, separators=(",", ":")),
        event=event,
        id=None if position is None else str(position),
        sep="\n",
    )


def stream(events: AsyncIterator[ServerSentEvent], stopping: asyncio.Event) -> EventSourceResponse:
    return EventSourceResponse(
        until(stopping, events),
        ping=KEEP_ALIVE_S,
        ping_message_factory=lambda: ServerSentEvent(comment="keep-alive", sep="\n"),
        sep="\n",
    )


def last_event_id(header: str | None) -> int:
    """Return the position to go on after, 0 without one. Raises InvalidInput."""
    if not header:
        return 0
    if not (header.isascii() and header.isdigit()) or len(header) > 18:
        raise InvalidInput(
            f"Last-Event-ID is {header[:40]!r}, expected the id of an event", field="Last-Event-ID"
        )
    return int(header)
