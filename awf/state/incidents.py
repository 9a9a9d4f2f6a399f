"""Incidents as JSON documents, webhook deliveries, and which alerts have been taken care of."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from awf.core.clock import isoformat
from awf.core.codec import from_json, to_json
from awf.core.incidents import Alert, Incident, IncidentStatus
from awf.core.leases import Lease
from awf.core.ports import Changed, Delivery, Desk, Page, Saved
from awf.core.types import IncidentId
from awf.errors import NotFound
from awf.state.database import Database
from awf.state.documents import storable
from awf.state.leases import require
from awf.state.paging import fetch_page
from awf.state.schema import deliveries, incident_alerts, incidents, last_number, seen_alerts, take_numbers

T = TypeVar("T")

TOPIC = "incidents"
_REVISIONS = "incident_revisions"
KEPT_DELIVERIES = 1_000
_BATCH = 500  # of what is named in one statement
SEEN_FOR = timedelta(days=30)
_OPEN = tuple(status.value for status in IncidentStatus if status.is_open)


class Incidents:
    """Implements `IncidentStore`."""

    def __init__(self, database: Database, *, revision: int) -> None:
        self._db = database
        self._revision = revision

    @classmethod
    async def open(cls, database: Database) -> Incidents:
        revision = await database.read(lambda conn: last_number(conn, _REVISIONS))
        return cls(database, revision=revision)

    async def at_desk(self, work: Callable[[Desk], T]) -> T:
        return await self._write(lambda conn: work(_Desk(conn, self._db.now())), is_urgent=True)

    async def save(self, incident: Incident) -> None:
        """Store an incident as it is, whatever is stored now."""
        await self._write(lambda conn: _save(conn, incident))

    async def change(
        self,
        incident_id: IncidentId,
        make: Callable[[Incident], Incident],
        *,
        lease: Lease | None = None,
        unless: Callable[[Incident], bool] | None = None,
    ) -> Changed:
        def work(conn: Connection) -> Changed:
            require(conn, lease)
            before = _get(conn, incident_id)
            if unless is not None and (rival := _rival(conn, incident_id, unless)):
                return Changed(before, before, rival)
            after = make(before)
            if after is not before:
                _save(conn, after)
            return Changed(before, after)

        return await self._write(work)

    async def rival(self, incident_id: IncidentId, is_rival: Callable[[Incident], bool]) -> Incident | None:
        return await self._db.read(lambda conn: _rival(conn, incident_id, is_rival))

    async def last_revision(self) -> int:
        return await self._db.read(lambda conn: last_number(conn, _REVISIONS))

    async def saved_since(self, revision: int) -> builtins.list[Saved]:
        return await self._db.read(lambda conn: _saved_after(conn, revision))

    async def get(self, incident_id: IncidentId) -> Incident:
        return await self._db.read(lambda conn: _get(conn, incident_id))

    async def list(
        self, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Incident]:
        query = select(incidents.c.doc)
        if status is not None:
            query = query.where(incidents.c.status == status)
        return await self._db.read(
            lambda conn: fetch_page(conn, query, incidents.c.number, _read, limit=limit, cursor=cursor)
        )

    async def _write(self, work: Callable[[Connection], T], *, is_urgent: bool = False) -> T:
        """Run a unit of work, and know the newest revision afterwards."""

        def unit(conn: Connection) -> tuple[T, int]:
            return work(conn), last_number(conn, _REVISIONS)

        result, revision = await self._db.write(unit, topic=TOPIC, is_urgent=is_urgent)
        self._revision = max(self._revision, revision)
        return result

    def changed(self) -> AsyncIterator[Incident]:
        # The start is taken here, not at the first step: what is saved in between is not missed.
        return self._follow(self._revision)

    async def _follow(self, revision: int) -> AsyncIterator[Incident]:
        while not self._db.is_closed:
            ticket = self._db.signals.ticket(TOPIC)
            saved = await self._db.read(partial(_saved_after, revision=revision, limit=100))
            for each in saved:
                revision = each.revision
                self._revision = max(self._revision, revision)
                yield each.incident
            if not saved:
                await self._db.wait(ticket)


class _Desk:
    """Implements `Desk` on a connection that writes."""

    def __init__(self, conn: Connection, now: datetime) -> None:
        self._conn = conn
        self._now = now

    def receive(self, given: Sequence[Delivery]) -> builtins.list[builtins.list[Alert]]:
        conn, now = self._conn, isoformat(self._now)
        numbers = take_numbers(conn, "deliveries", len(given))
        bodies = zip(numbers, given, strict=True)
        rows = [{"number": number, "received_at": now, "body": each.body} for number, each in bodies]
        conn.execute(insert(deliveries), rows)
        conn.execute(delete(deliveries).where(deliveries.c.number <= numbers[-1] - KEPT_DELIVERIES))
        forgotten = isoformat(self._now - SEEN_FOR)
        conn.execute(delete(seen_alerts).where(seen_alerts.c.received_at < forgotten))
        fresh = self._unseen({storable(alert.dedupe_key) for each in given for alert in each.alerts})
        if fresh:
            conn.execute(insert(seen_alerts), [{"dedupe_key": key, "received_at": now} for key in fresh])
        return [
            [alert for alert in each.alerts if fresh.pop(storable(alert.dedupe_key), False)] for each in given
        ]

    def _unseen(self, keys: set[str]) -> dict[str, bool]:
        unseen = dict.fromkeys(keys, True)
        for some in _batches(list(keys)):
            seen = select(seen_alerts.c.dedupe_key).where(seen_alerts.c.dedupe_key.in_(some))
            for key in self._conn.execute(seen).scalars():
                del unseen[key]
        return unseen

    def saved_since(self, revision: int) -> builtins.list[Saved]:
        return _saved_after(self._conn, revision)

    def last_for(self, fingerprint: str) -> Incident | None:
        return _last_for(self._conn, fingerprint)

    def save(self, made: Sequence[Incident]) -> builtins.list[Saved]:
        return _save_all(self._conn, made)


def _saved_after(conn: Connection, revision: int, limit: int | None = None) -> builtins.list[Saved]:
    query = select(incidents.c.revision, incidents.c.doc).where(incidents.c.revision > revision)
    rows = conn.execute(query.order_by(incidents.c.revision).limit(limit))
    return [Saved(row.revision, _read(row)) for row in rows]


def _read(row: Any) -> Incident:
    return from_json(Incident, row.doc)


def _save(conn: Connection, incident: Incident) -> None:
    _save_all(conn, [incident])


def _save_all(conn: Connection, made: Sequence[Incident]) -> builtins.list[Saved]:
    saved = list(map(Saved, take_numbers(conn, _REVISIONS, len(made)), made))
    for some in _batches(saved):
        known = set(conn.execute(select(incidents.c.id).where(incidents.c.id.in_(_ids(some)))).scalars())
        old = [_row(each) for each in some if each.incident.id in known]
        new = [_row(each) for each in some if each.incident.id not in known]
        if old:
            conn.execute(update(incidents).where(incidents.c.id == bindparam("stored_id")), old)
        if new:
            numbers = take_numbers(conn, "incidents", len(new))
            rows = zip(new, numbers, strict=True)
            conn.execute(
                insert(incidents),
                [{"id": row.pop("stored_id"), "number": number, **row} for row, number in rows],
            )
        _attach(conn, some)
    return saved


def _row(saved: Saved) -> dict[str, Any]:
    incident = saved.incident
    return {
        "stored_id": incident.id, "status": incident.status.value, "revision": saved.revision, "doc": to_json(incident)
    }  # fmt: skip


def _ids(saved: Sequence[Saved]) -> builtins.list[str]:
    return [each.incident.id for each in saved]


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[begin : begin + _BATCH] for begin in range(0, len(items), _BATCH))


def _get(conn: Connection, incident_id: IncidentId) -> Incident:
    doc = conn.execute(select(incidents.c.doc).where(incidents.c.id == incident_id)).scalar()
    if doc is None:
        raise NotFound(f"no incident {incident_id!r}", hint="GET /incidents lists them.")
    return from_json(Incident, doc)


def _last_for(conn: Connection, fingerprint: str) -> Incident | None:
    query = (
        select(incidents.c.doc)
        .join(incident_alerts, incident_alerts.c.incident_id == incidents.c.id)
        .where(incident_alerts.c.fingerprint == fingerprint)
    )
    doc = conn.execute(query.order_by(incidents.c.number.desc()).limit(1)).scalar()
    return None if doc is None else from_json(Incident, doc)


def _rival(
    conn: Connection, incident_id: IncidentId, is_rival: Callable[[Incident], bool]
) -> Incident | None:
    has_chosen = incidents.c.doc["action"]["name"].as_string().is_not(None)
    query = (
        select(incidents.c.doc)
        .where(incidents.c.status.in_(_OPEN), incidents.c.id != incident_id, has_chosen)
        .order_by(incidents.c.number)
    )
    return next(filter(is_rival, (_read(row) for row in conn.execute(query))), None)


def _attach(conn: Connection, saved: Sequence[Saved]) -> None:
    held = {
        (storable(alert.fingerprint), each.incident.id) for each in saved for alert in each.incident.alerts
    }
    known = select(incident_alerts.c.fingerprint, incident_alerts.c.incident_id).where(
        incident_alerts.c.incident_id.in_(_ids(saved))
    )
    added = held - {(row.fingerprint, row.incident_id) for row in conn.execute(known)}
    if added:
        conn.execute(
            insert(incident_alerts), [{"fingerprint": held, "incident_id": by} for held, by in sorted(added)]
        )
