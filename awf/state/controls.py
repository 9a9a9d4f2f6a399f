"""Orders to engines and their acknowledgements, shared by every process on this database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select, update

from awf.core.clock import isoformat
from awf.core.codec import from_json, to_json
from awf.core.leases import Lease
from awf.core.types import (
    ChangeId,
    ControlAck,
    ControlChange,
    ControlKind,
    ControlOutcome,
    EngineId,
    EngineInfo,
    new_id,
)
from awf.errors import Conflict, NotFound
from awf.state.database import Database
from awf.state.engines import LIVE_FOR, choose_targets, live_engines, may_report
from awf.state.leases import require
from awf.state.schema import change_targets, changes, engines, take_numbers

ORDERED, ACKNOWLEDGED = "changes", "acks"
DELIVERED_FOR = timedelta(minutes=5)
"""An order that nobody took for this long is void: whoever gave it has long read it as inconclusive."""
MOST_CHANGES = 100
_LOOK_S = 0.5


class Controls:
    """Implements `ControlStore`, `ChangeHistory` and `EngineDirectory`."""

    def __init__(self, database: Database, *, timeout_s: float = 10.0) -> None:
        self._db = database
        self._timeout_s = timeout_s

    async def submit(
        self,
        kind: ControlKind,
        arguments: Mapping[str, Any],
        *,
        requested_by: str,
        idempotency_key: str,
        lease: Lease | None = None,
    ) -> ControlOutcome:
        def work(conn: Connection) -> ControlChange:
            require(conn, lease)
            return self._order(conn, kind, arguments, by=requested_by, key=idempotency_key)

        return await self._wait_for_acks(await self._db.write(work, topic=ORDERED))

    async def engines(self) -> list[EngineInfo]:
        return await self._db.read(lambda conn: live_engines(conn, self._db.now()))

    async def await_engines(self) -> None:
        for _ in range(int(LIVE_FOR.total_seconds() / _LOOK_S)):
            if not await self._db.read(lambda conn: may_report(conn, self._db.now())):
                return
            await self._db.clock.sleep(_LOOK_S)

    async def register(self, engine: EngineInfo) -> None:
        def work(conn: Connection) -> None:
            values = {"last_seen": self._db.now_text(), "doc": to_json(engine)}
            known = conn.execute(update(engines).where(engines.c.id == engine.id).values(**values))
            if known.rowcount == 0:
                conn.execute(insert(engines).values(id=engine.id, **values))

        await self._db.write(work)

    async def heartbeat(self, engine_id: EngineId) -> None:
        beat = update(engines).where(engines.c.id == engine_id).values(last_seen=self._db.now_text())
        if await self._db.write(lambda conn: conn.execute(beat).rowcount) == 0:
            raise NotFound(f"no engine {engine_id!r}", hint="Register it with POST /api/v1/engines.")

    async def changes(self, engine_id: EngineId, *, after_token: int) -> AsyncIterator[ControlChange]:
        token = after_token
        while not self._db.is_closed:
            ticket = self._db.signals.ticket(ORDERED)
            since = isoformat(self._db.now() - DELIVERED_FOR)
            rows = await self._db.read(partial(_unanswered, engine_id=engine_id, token=token, since=since))
            for row in rows:
                token = row.token
                yield from_json(ControlChange, row.doc)
            if not rows:
                await self._db.wait(ticket)

    async def changes_since(self, since: datetime) -> list[ControlChange]:
        newest = select(changes.c.doc).where(changes.c.created_at >= isoformat(since))
        query = newest.order_by(changes.c.token.desc()).limit(MOST_CHANGES)
        rows = await self._db.read(lambda conn: conn.execute(query).scalars().all())
        return [from_json(ControlChange, doc) for doc in reversed(rows)]

    async def acknowledge(self, ack: ControlAck) -> None:
        await self._db.write(lambda conn: _record(conn, ack), topic=ACKNOWLEDGED)

    def _order(
        self, conn: Connection, kind: ControlKind, arguments: Mapping[str, Any], *, by: str, key: str
    ) -> ControlChange:
        first = conn.execute(select(changes.c.doc).where(changes.c.idempotency_key == key)).scalar()
        if first is not None:
            return from_json(ControlChange, first)
        now = self._db.now()
        token = take_numbers(conn, "changes")[-1]
        change = ControlChange(
            id=ChangeId(new_id("chg")),
            kind=kind,
            arguments=dict(arguments),
            token=token,
            requested_by=by,
            created_at=now,
        )
        conn.execute(
            insert(changes).values(
                token=token,
                id=change.id,
                idempotency_key=key,
                created_at=isoformat(now),
                doc=to_json(change),
            )
        )
        targets = choose_targets(conn, kind, arguments, live_engines(conn, now))
        if targets:
            conn.execute(insert(change_targets), [{"token": token, "engine_id": each} for each in targets])
        return change

    async def _wait_for_acks(self, change: ControlChange) -> ControlOutcome:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        while True:
            ticket = self._db.signals.ticket(ACKNOWLEDGED)
            outcome = await self._db.read(lambda conn: _outcome(conn, change))
            left = deadline - loop.time()
            if not outcome.waiting_for or left <= 0:
                return outcome
            await self._db.wait(ticket, left)


def _unanswered(conn: Connection, *, engine_id: EngineId, token: int, since: str) -> Sequence[Any]:
    query = (
        select(changes.c.doc, changes.c.token)
        .join(change_targets, change_targets.c.token == changes.c.token)
        .where(
            change_targets.c.engine_id == engine_id,
            change_targets.c.ack.is_(None),
            changes.c.token > token,
            changes.c.created_at > since,
        )
        .order_by(changes.c.token)
        .limit(100)
    )
    return conn.execute(query).all()


def _outcome(conn: Connection, change: ControlChange) -> ControlOutcome:
    query = select(change_targets).where(change_targets.c.token == change.token)
    rows = conn.execute(query.order_by(change_targets.c.engine_id)).all()
    return ControlOutcome(
        change=change,
        acks=tuple(from_json(ControlAck, row.ack) for row in rows if row.ack is not None),
        waiting_for=tuple(EngineId(row.engine_id) for row in rows if row.ack is None),
    )


def _record(conn: Connection, ack: ControlAck) -> None:
    token = conn.execute(select(changes.c.token).where(changes.c.id == ack.change_id)).scalar()
    if token is None:
        raise NotFound(f"no change {ack.change_id!r}")
    mine = (change_targets.c.token == token) & (change_targets.c.engine_id == ack.engine_id)
    row = conn.execute(select(change_targets).where(mine)).one_or_none()
    if row is None:
        raise NotFound(f"change {ack.change_id} was not given to engine {ack.engine_id!r}")
    answer = to_json(ack)
    if row.ack is None:
        conn.execute(update(change_targets).where(mine).values(ack=answer))
    elif row.ack != answer:
        raise Conflict(f"engine {ack.engine_id} has already answered change {ack.change_id} differently")
