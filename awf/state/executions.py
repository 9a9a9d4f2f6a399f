"""Executions of all engines, derived from their events; bounded to the newest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from awf.core.codec import from_json, to_json
from awf.core.ports import Page
from awf.core.types import EngineId, ExecutionId, ExecutionRecord, Json, WorkflowId
from awf.errors import NotFound
from awf.state.database import Database
from awf.state.execution_events import EventHead, follow_event
from awf.state.paging import fetch_page
from awf.state.schema import events, executions, take_numbers

TOPIC = "events"
KEPT_EXECUTIONS = 10_000
_BATCH = 500


class Executions:
    """Implements `ExecutionStore`."""

    def __init__(self, database: Database, *, kept: int = KEPT_EXECUTIONS) -> None:
        self._db = database
        self._kept = kept

    async def save(self, record: ExecutionRecord) -> None:
        await self._db.write(lambda conn: self._save(conn, record), topic=TOPIC)

    async def get(self, execution_id: ExecutionId) -> ExecutionRecord:
        return await self._db.read(lambda conn: _get(conn, execution_id))

    async def list(
        self,
        *,
        workflow_id: WorkflowId | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[ExecutionRecord]:
        query = select(executions.c.doc)
        if workflow_id is not None:
            query = query.where(executions.c.workflow_id == workflow_id)
        if status is not None:
            query = query.where(executions.c.status == status)
        return await self._db.read(
            lambda conn: fetch_page(conn, query, executions.c.number, _read, limit=limit, cursor=cursor)
        )

    async def append_events(self, engine_id: EngineId, events: Sequence[Json]) -> None:
        heads = [from_json(EventHead, event) for event in events]
        if heads:
            await self._db.write(lambda conn: self._append(conn, engine_id, heads, events), topic=TOPIC)

    async def events(
        self, execution_id: ExecutionId, *, after: int = 0, follow: bool = True
    ) -> AsyncIterator[tuple[int, Json]]:
        position = after
        while not self._db.is_closed:
            ticket = self._db.signals.ticket(TOPIC)
            record, rows = await self._db.read(partial(_news, execution_id=execution_id, after=position))
            for row in rows:
                position = row.position
                yield position, row.doc
            if not rows:
                if record.status.is_final or not follow:
                    return
                await self._db.wait(ticket)

    def _append(
        self, conn: Connection, engine_id: EngineId, heads: Sequence[EventHead], docs: Sequence[Json]
    ) -> None:
        ids = [head.id for head in heads]
        known = set(conn.execute(select(events.c.id).where(events.c.id.in_(ids))).scalars())
        fresh = {
            head.id: (head, to_json(doc))
            for head, doc in zip(heads, docs, strict=True)
            if head.id not in known
        }
        if not fresh:
            return
        positions = take_numbers(conn, "events", len(fresh))
        conn.execute(
            insert(events),
            [
                {"position": position, "id": head.id, "execution_id": head.execution_id, "doc": doc}
                for position, (head, doc) in zip(positions, fresh.values(), strict=True)
            ],
        )
        records: dict[ExecutionId, ExecutionRecord | None] = {}
        for head, _ in fresh.values():
            if head.execution_id not in records:
                records[head.execution_id] = _find(conn, head.execution_id)
            records[head.execution_id] = follow_event(records[head.execution_id], head, engine_id)
        for record in records.values():
            if record is not None:
                self._save(conn, record)

    def _save(self, conn: Connection, record: ExecutionRecord) -> None:
        values = {
            "workflow_id": record.workflow_id,
            "status": record.status.value,
            "engine_id": record.engine_id,
            "doc": to_json(record),
        }
        known = conn.execute(update(executions).where(executions.c.id == record.id).values(**values))
        if known.rowcount == 0:
            number = take_numbers(conn, "executions")[-1]
            conn.execute(insert(executions).values(id=record.id, number=number, **values))
            _forget_old(conn, number - self._kept)


def _find(conn: Connection, execution_id: ExecutionId) -> ExecutionRecord | None:
    doc = conn.execute(select(executions.c.doc).where(executions.c.id == execution_id)).scalar()
    return None if doc is None else from_json(ExecutionRecord, doc)


def _get(conn: Connection, execution_id: ExecutionId) -> ExecutionRecord:
    record = _find(conn, execution_id)
    if record is None:
        raise NotFound(f"no execution {execution_id!r}", hint="GET /executions lists the newest.")
    return record


def _news(
    conn: Connection, *, execution_id: ExecutionId, after: int
) -> tuple[ExecutionRecord, Sequence[Any]]:
    query = (
        select(events.c.position, events.c.doc)
        .where(events.c.execution_id == execution_id, events.c.position > after)
        .order_by(events.c.position)
        .limit(_BATCH)
    )
    return _get(conn, execution_id), conn.execute(query).all()


def _forget_old(conn: Connection, up_to: int) -> None:
    old = select(executions.c.id).where(executions.c.number <= up_to)
    conn.execute(delete(events).where(events.c.execution_id.in_(old)))
    conn.execute(delete(executions).where(executions.c.number <= up_to))


def _read(row: Any) -> ExecutionRecord:
    return from_json(ExecutionRecord, row.doc)
