"""Loki's tail: entries over a websocket as they arrive, oldest first."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from awf.core.clock import Clock
from awf.embedded.logql import Engine, LogEntry, parse_selector, wire
from awf.embedded.logql.frame import label_set
from awf.embedded.logql.parameters import Parameters
from awf.embedded.logql.scan import QueryStats
from awf.errors import AwfError, QueryError

POLL_S: Final = 0.5
LATENESS_NS: Final = 30 * 1_000_000_000
"""How late an entry may arrive and still be sent."""
MAX_DELAY_S: Final = 5
MAX_CLIENTS: Final = 10
MAX_ENTRIES: Final = 1_000
_BAD_QUERY: Final = 1008


class Tail:
    """Serves at most MAX_CLIENTS at once. Looks into the store every POLL_S seconds."""

    def __init__(
        self, engine: Engine, clock: Clock, fields: Callable[[WebSocket], dict[str, list[str]]]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._fields = fields
        self._clients = 0

    async def serve(self, socket: WebSocket) -> None:
        """Accept and send until the client leaves. What is wrong is said in the reason of the close."""
        await socket.accept()
        try:
            follower = self._follower(Parameters(self._fields(socket), self._now_ns()))
        except AwfError as error:
            await socket.close(_BAD_QUERY, error.message[:120])
            return
        self._clients += 1
        sending = asyncio.create_task(self._send(socket, follower))
        try:
            await _left(socket)
        finally:
            self._clients -= 1
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _follower(self, parameters: Parameters) -> Follower:
        if self._clients >= MAX_CLIENTS:
            raise QueryError(f"max concurrent tail requests limit exceeded, count > limit ({MAX_CLIENTS})")
        delay_s = parameters.count("delay_for", 0, least=0)
        if delay_s > MAX_DELAY_S:
            raise QueryError(f"delay_for can't be greater than {MAX_DELAY_S}")
        query = parameters.query()
        parse_selector(query)
        flags = parameters.text("encoding-flags").split(",")
        return Follower(
            self._engine, query, parameters.span_ns()[0],
            limit=parameters.limit(), delay_ns=delay_s * 1_000_000_000, categorize=wire.CATEGORIZE_LABELS in flags,
        )  # fmt: skip

    async def _send(self, socket: WebSocket, follower: Follower) -> None:
        while True:
            try:
                streams = await asyncio.to_thread(follower.next, self._now_ns())
            except AwfError as error:
                await socket.close(1011, error.message[:120])
                return
            if streams:
                await socket.send_text(json.dumps({"streams": streams}, ensure_ascii=False))
            await self._clock.sleep(POLL_S)

    def _now_ns(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000) * 1_000


class Follower:
    """Finds what is new since it looked last; used by one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        query: str,
        start_ns: int,
        *,
        limit: int,
        delay_ns: int = 0,
        categorize: bool = False,
    ) -> None:
        self._engine = engine
        self._query = query
        self._from_ns = start_ns
        self._limit = limit
        self._delay_ns = delay_ns
        self._categorize = categorize
        self._seen: dict[tuple[object, ...], int] | None = None

    def next(self, now_ns: int) -> list[dict[str, Any]]:
        """Return the streams with new entries: at first the newest of the past, then what has arrived."""
        end = now_ns - self._delay_ns + 1
        entries = list(self._entries(end))
        known = self._seen
        fresh = [entry for entry in entries if known is None or _key(entry) not in known]
        if known is None:
            fresh = fresh[-self._limit :]
        self._from_ns = max(self._from_ns, end - LATENESS_NS)
        self._seen = {_key(e): e.timestamp_ns for e in entries if e.timestamp_ns >= self._from_ns}
        return wire.streams(fresh, categorize=self._categorize)

    def _entries(self, end_ns: int) -> list[LogEntry]:
        """Return the newest entries that are not too old, in the order of time."""
        most = max(self._limit, MAX_ENTRIES) if self._seen is None else 10 * MAX_ENTRIES
        found = self._engine.entries(self._query, self._from_ns, end_ns, QueryStats())
        return [entry for _, entry in zip(range(most), found, strict=False)][::-1]


def _key(entry: LogEntry) -> tuple[object, ...]:
    return entry.timestamp_ns, entry.line, label_set(entry.labels)


async def _left(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
