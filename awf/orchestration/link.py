"""Keeps an engine in touch with the server: announces it, obeys its changes, uploads its events."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Protocol

from awf.core.codec import to_json
from awf.core.ports import EngineDirectory
from awf.core.semconv import EVENTS_DROPPED
from awf.core.types import EngineId, Json
from awf.errors import AwfError, Conflict, NotFound
from awf.orchestration.engine import Engine
from awf.orchestration.events import WorkflowEvent

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
LINGER_S = 0.2
BATCH_SIZE = 500
QUEUE_SIZE = 20_000
FIRST_PAUSE_S = 0.5


class EventUpload(Protocol):
    """The part of `ExecutionStore` that an engine needs."""

    async def append_events(self, engine_id: EngineId, events: Sequence[Json]) -> None: ...


class EngineLink:
    """Connects one engine with a directory, in this process or behind `HttpDirectory`.

    While the server is away the engine goes on: the newest `queue_size` events wait, older ones are
    dropped and counted.
    """

    def __init__(
        self,
        engine: Engine,
        directory: EngineDirectory,
        executions: EventUpload,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self._engine = engine
        self._directory = directory
        self._executions = executions
        self._heartbeat_s = heartbeat_s
        self._queue: deque[WorkflowEvent] = deque()
        self._queue_size = queue_size
        self._has_events = asyncio.Event()
        self._is_registered = asyncio.Event()
        self._subscription = engine.emitter.subscribe(self._take)

    async def run(self) -> None:
        """Stay in touch until cancelled; then try once, for 2 s, to upload what is left."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forever("announce", self._announce))
                group.create_task(self._forever("obey", self._obey))
                group.create_task(self._forever("upload", self._upload))
        finally:
            await self._subscription.drain(1.0)
            await self._upload_rest()

    async def _forever(self, what: str, work: Callable[[_Pauses], Awaitable[None]]) -> None:
        # Tries are not rarer than heartbeats: an order waits for its answer only a little longer than that.
        pauses = _Pauses(what, self._engine.id, longest_s=self._heartbeat_s)
        while True:
            try:
                await work(pauses)
            except Exception as error:  # boundary: whatever the server's side does, the engine goes on
                await pauses.after(error)
            else:
                # A stream that the server closes in order is opened again, but not in a tight loop.
                await asyncio.sleep(FIRST_PAUSE_S)

    async def _announce(self, pauses: _Pauses) -> None:
        told = self._engine.info()
        await self._directory.register(told)
        self._is_registered.set()
        pauses.reset()
        while told == self._engine.info():
            await asyncio.sleep(self._heartbeat_s)
            try:
                await self._directory.heartbeat(self._engine.id)
            except NotFound:
                logger.info("server does not know this engine any more", extra={"engine_id": self._engine.id})
                self._is_registered.clear()
                return
            pauses.reset()

    async def _obey(self, pauses: _Pauses) -> None:
        await self._is_registered.wait()
        # Always from the beginning: what was answered does not come again, and a server that lost its
        # data counts its tokens anew. Its orders are then refused, with the reason, not left unasked for.
        async for change in self._directory.changes(self._engine.id, after_token=0):
            pauses.reset()
            ack = await self._engine.controls.apply(change)
            try:
                await self._directory.acknowledge(ack)
            except (NotFound, Conflict) as error:
                extra = {"change_id": change.id, "detail": error.message}
                logger.warning("acknowledgement not accepted", extra=extra)

    async def _upload(self, pauses: _Pauses) -> None:
        while True:
            await self._has_events.wait()
            # Events come in bursts: a short wait turns many requests into one.
            await asyncio.sleep(LINGER_S)
            while self._queue:
                await self._upload_batch()
                pauses.reset()
            self._has_events.clear()

    async def _upload_batch(self) -> None:
        batch = list(islice(self._queue, BATCH_SIZE))
        events = [event_json(event) for event in batch]
        try:
            await self._executions.append_events(self._engine.id, events)
        except AwfError as error:
            if not _is_refusal(error):
                raise
            await self._upload_singly(events)
        # New events may have pushed old ones of this batch out meanwhile.
        uploaded = {event.id for event in batch}
        while self._queue and self._queue[0].id in uploaded:
            self._queue.popleft()

    async def _upload_singly(self, events: list[Json]) -> None:
        """The server refuses a batch for one event's sake: leave out only that one."""
        for event in events:
            try:
                await self._executions.append_events(self._engine.id, [event])
            except AwfError as error:
                if not _is_refusal(error):
                    raise
                self._engine.emitter.counters.add(EVENTS_DROPPED, reason="upload_refused")
                logger.warning(
                    "server refused an event", extra={"event_id": event["id"], "detail": error.message}
                )

    async def _upload_rest(self) -> None:
        try:
            async with asyncio.timeout(2.0):
                while self._queue:
                    await self._upload_batch()
        except Exception as error:  # boundary: as above, and nobody is left to try again
            self._engine.emitter.counters.add(EVENTS_DROPPED, len(self._queue), reason="upload_shutdown")
            logger.warning(
                "events not uploaded at shutdown", extra={"events": len(self._queue), "detail": str(error)}
            )

    def _take(self, event: WorkflowEvent) -> None:
        if len(self._queue) >= self._queue_size:
            self._queue.popleft()
            self._engine.emitter.counters.add(EVENTS_DROPPED, reason="upload_queue_full")
        self._queue.append(event)
        self._has_events.set()


class _Pauses:
    """Growing pauses between attempts, and one log record for each outage's begin and end."""

    def __init__(self, what: str, engine_id: EngineId, *, longest_s: float) -> None:
        self._extra = {"link": what, "engine_id": engine_id}
        self._longest_s = longest_s
        self._is_away = False
        self._pause_s = FIRST_PAUSE_S

    def reset(self) -> None:
        if self._is_away:
            logger.info("server is back", extra=self._extra)
        self._is_away = False
        self._pause_s = FIRST_PAUSE_S

    async def after(self, error: Exception) -> None:
        if not self._is_away:
            extra = {**self._extra, "detail": str(error)}
            logger.warning("server not reached", extra=extra, exc_info=not isinstance(error, AwfError))
        self._is_away = True
        # Engines that lost the server together must not come back together.
        await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311
        self._pause_s = min(self._pause_s * 2, self._longest_s)


def _is_refusal(error: AwfError) -> bool:
    """Say whether the events are at fault, not the connection, the token or a server that forgot us."""
    return not error.retryable and error.http_status not in {401, 403, 404}


def event_json(event: WorkflowEvent) -> Json:
    """Return an event as JSON. What an agent put into its output that is not JSON becomes its text."""
    plain = to_json(event)
    try:
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError):
        plain["data"] = json.loads(json.dumps(plain["data"], default=str), parse_constant=str)
    return dict(plain)
