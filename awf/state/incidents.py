"""Incidents as JSON documents, webhook deliveries, and which alerts have been taken care of."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, delete, insert, select, update

from awf.core.clock import isoformat
from awf.core.codec import from_json, to_json
from awf.core.incidents import Alert, Incident, IncidentStatus
from awf.core.leases import Lease
from awf.core.ports import Changed, Opened, Page, Saved
from awf.core.types import IncidentId
from awf.errors import NotFound, StateUnavailable
from awf.state.database import Database
from awf.state.documents import storable
from awf.state.leases import require
from awf.state.paging import fetch_page
from awf.state.schema import deliveries, incident_alerts, incidents, last_number, seen_alerts, take_numbers

T = TypeVar("T")

TOPIC = "incidents"
_REVISIONS = "incident_revisions"
KEPT_DELIVERIES = 1_000
SEEN_FOR = timedelta(days=30)
CLAIM = timedelta(seconds=30)
_OPEN = tuple(status.value for status in IncidentStatus if status.is_open)


class Incidents:
    """Implements `IncidentStore`."""

    def __init__(self, database: Database, *, revision: int) -> None:
        self._db = database
        self._revision = revision
        self._owner = secrets.token_hex(16)
        # Kept here and not in the database: it is needed just when that is away.
        self._handed_back: set[str] = set()

    @classmethod
    async def open(cls, database: Database) -> Incidents:
        revision = await database.read(lambda conn: last_number(conn, _REVISIONS))
        return cls(database, revision=revision)

    async def receive(self, alerts: Sequence[Alert], body: bytes) -> list[Alert]:
        def work(conn: Connection) -> list[Alert]:
            number = take_numbers(conn, "deliveries")[-1]
            conn.execute(insert(deliveries).values(number=number, received_at=self._db.now_text(), body=body))
            conn.execute(delete(deliveries).where(deliveries.c.number <= number - KEPT_DELIVERIES))
            forgotten = isoformat(self._db.now() - SEEN_FOR)
            conn.execute(delete(seen_alerts).where(seen_alerts.c.received_at < forgotten))
            return [alert for alert in alerts if self._claim(conn, alert.dedupe_key)]

        try:
            fresh = await self._db.write(work)
        except StateUnavailable:  # perhaps it was stored all the same, and the sender tries again
            self.hand_back(alerts)
            raise
        self._handed_back -= {alert.dedupe_key for alert in fresh}
        return fresh

    def hand_back(self, alerts: Sequence[Alert]) -> None:
        self._handed_back.update(alert.dedupe_key for alert in alerts)

    def _claim(self, conn: Connection, key: str) -> bool:
        """Whether the alert is new. One that no incident holds is new again once its claim has lapsed:
        whoever took it died or failed before anything was saved, and the sender tries again."""
        row = conn.execute(select(seen_alerts).where(seen_alerts.c.dedupe_key == key)).one_or_none()
        claim = {"received_at": self._db.now_text(), "owner": self._owner}
        if row is None:
            conn.execute(insert(seen_alerts).values(dedupe_key=key, is_attached=False, **claim))
            return True
        lapsed = isoformat(self._db.now() - CLAIM)
        is_in_hand = row.owner == self._owner and row.received_at > lapsed and key not in self._handed_back
        if row.is_attached or is_in_hand:
            return False
        conn.execute(update(seen_alerts).where(seen_alerts.c.dedupe_key == key).values(**claim))
        return True

    async def save(self, incident: Incident) -> None:
        """Store an incident as it is, whatever is stored now."""
        await self._write(lambda conn: _save(conn, incident))

    async def add(self, incident: Incident, *, seen: int, joins: Callable[[Incident], bool]) -> Opened:
        def work(conn: Connection) -> Opened:
            news = _saved_after(conn, seen)
            holding = (_open_for(conn, alert.fingerprint) for alert in incident.alerts)
            home = next(filter(None, holding), None)
            home = home or next((each.incident for each in news if joins(each.incident)), None)
            if home is None:
                news.append(Saved(_save(conn, incident), incident))
            return Opened(home or incident, tuple(news), last_number(conn, _REVISIONS))

        return await self._write(work)

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

    async def open_for(self, fingerprint: str) -> Incident | None:
        return await self._db.read(lambda conn: _open_for(conn, fingerprint))

    async def last_for(self, fingerprint: str) -> Incident | None:
        return await self._db.read(lambda conn: _newest(conn, _holding(fingerprint)))

    async def list(
        self, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Incident]:
        query = select(incidents.c.doc)
        if status is not None:
            query = query.where(incidents.c.status == status)
        return await self._db.read(
            lambda conn: fetch_page(conn, query, incidents.c.number, _read, limit=limit, cursor=cursor)
        )

    async def _write(self, work: Callable[[Connection], T]) -> T:
        """Run a unit of work, and know the newest revision afterwards."""

        def unit(conn: Connection) -> tuple[T, int]:
            return work(conn), last_number(conn, _REVISIONS)

        result, revision = await self._db.write(unit, topic=TOPIC)
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


def _saved_after(conn: Connection, revision: int, limit: int | None = None) -> builtins.list[Saved]:
    query = select(incidents.c.revision, incidents.c.doc).where(incidents.c.revision > revision)
    rows = conn.execute(query.order_by(incidents.c.revision).limit(limit))
    return [Saved(row.revision, _read(row)) for row in rows]


def _read(row: Any) -> Incident:
    return from_json(Incident, row.doc)


def _save(conn: Connection, incident: Incident) -> int:
    """Store an incident and return its revision."""
    revision = take_numbers(conn, _REVISIONS)[-1]
    values = {"status": incident.status.value, "revision": revision, "doc": to_json(incident)}
    changed = conn.execute(update(incidents).where(incidents.c.id == incident.id).values(**values))
    if changed.rowcount == 0:
        number = take_numbers(conn, "incidents")[-1]
        conn.execute(insert(incidents).values(id=incident.id, number=number, **values))
    _attach(conn, incident)
    return revision


def _get(conn: Connection, incident_id: IncidentId) -> Incident:
    doc = conn.execute(select(incidents.c.doc).where(incidents.c.id == incident_id)).scalar()
    if doc is None:
        raise NotFound(f"no incident {incident_id!r}", hint="GET /incidents lists them.")
    return from_json(Incident, doc)


def _open_for(conn: Connection, fingerprint: str) -> Incident | None:
    return _newest(conn, _holding(fingerprint).where(incidents.c.status.in_(_OPEN)))


def _holding(fingerprint: str) -> Select[Any]:
    return (
        select(incidents.c.doc)
        .join(incident_alerts, incident_alerts.c.incident_id == incidents.c.id)
        .where(incident_alerts.c.fingerprint == fingerprint)
    )


def _newest(conn: Connection, query: Select[Any]) -> Incident | None:
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


def _attach(conn: Connection, incident: Incident) -> None:
    known = set(
        conn.execute(
            select(incident_alerts.c.fingerprint).where(incident_alerts.c.incident_id == incident.id)
        ).scalars()
    )
    added = {storable(alert.fingerprint) for alert in incident.alerts} - known
    if added:
        conn.execute(
            insert(incident_alerts), [{"fingerprint": each, "incident_id": incident.id} for each in added]
        )
    keys = [alert.dedupe_key for alert in incident.alerts]
    unattached = seen_alerts.c.dedupe_key.in_(keys) & seen_alerts.c.is_attached.is_(False)
    conn.execute(update(seen_alerts).where(unattached).values(is_attached=True))
