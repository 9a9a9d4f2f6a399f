"""Server-sent events that end when the client leaves or the server stops."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, TypeVar

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent

from awf.errors import InvalidInput, Unavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 8
GRACE_S = 2.0


async def until(source: AsyncIterator[T], *stops: asyncio.Event | anyio.Event) -> AsyncIterator[T]:
    """Yield from `source` until it ends or one of `stops` is set. It also ends when what it reads goes away; whoever
    listens connects again, and is told then."""
    stopping: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait()) for stop in stops]
    step: asyncio.Future[T] | None = None
    try:
        while not any(stop.is_set() for stop in stops):
            step = asyncio.ensure_future(anext(source))
            await asyncio.wait({step, *stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                return
            try:
                item = step.result()
            except StopAsyncIteration:
                return
            except Unavailable as error:  # the answer has begun: to end it is all that is left to say
                logger.warning("stream ended", extra={"reason": error.reason, "error": error.message})
                return
            yield item
    finally:
        for task in [*stopping, *([step] if step else [])]:
            task.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, Unavailable):
                await task


def message(event: str, data: object, *, position: int | None = None) -> ServerSentEvent:
    """Return one message; `position` becomes the id that Last-Event-ID brings back."""
    return ServerSentEvent(
        json.dumps(data, separators=(",", ":")),
        event=event,
        id=None if position is None else str(position),
        sep="\n",
    )


def stream(events: AsyncIterator[ServerSentEvent], stopping: asyncio.Event) -> EventSourceResponse:
    """Return the response. It also ends when the server was told to stop by a signal."""
    signalled = anyio.Event()
    return EventSourceResponse(
        until(events, stopping, signalled),
        ping=KEEP_ALIVE_S,
        ping_message_factory=lambda: ServerSentEvent(comment="keep-alive", sep="\n"),
        sep="\n",
        shutdown_event=signalled,
        shutdown_grace_period=GRACE_S,
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
