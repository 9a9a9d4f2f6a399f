"""Who of the services on this database carries which incident on: heartbeats, and leases with fencing tokens.

Every write of a lease's holder is refused in its own transaction once a later lease was given, so a service that was
only slow can do nothing any more. Time decides just when a silent one has to give way, and only the database's clock is
asked: the machines' clocks may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, delete, func, insert, select, update

from awf.core.clock import isoformat, parse_time
from awf.core.leases import Lease, Replica
from awf.core.types import IncidentId, new_id
from awf.errors import LeaseLost
from awf.state.database import Database
from awf.state.schema import leases, replicas, take_numbers

T = TypeVar("T")

LAPSE_S = 15.0
REMEMBERED = timedelta(hours=1)


class LeaseTable:
    """Implements `Leases` for one service. The services that run at one time have different names: by its name a
    service that starts again knows the leases of its former self, and need not wait until they lapse."""

    def __init__(self, database: Database, *, name: str, lapse_s: float = LAPSE_S) -> None:
        self._db = database
        self._name = name
        self._id = new_id("svc")
        self._lapse = timedelta(seconds=lapse_s)
        self._is_known = False

    async def beat(self) -> None:
        await self._as_living(lambda _: None, is_urgent=True)

    async def leave(self) -> None:
        gone = delete(replicas).where(replicas.c.id == self._id)
        await self._db.write(lambda conn: conn.execute(gone))
        self._is_known = False

    async def take(self, incident_id: IncidentId) -> Lease | None:
        def work(conn: Connection) -> Lease | None:
            mine = leases.c.incident_id == incident_id
            owner = conn.execute(select(leases.c.owner).where(mine)).scalar()
            if owner not in (None, self._id) and owner in living(conn, self._moment(conn) - self._lapse):
                return None
            lease = Lease(incident_id, take_numbers(conn, "leases")[-1])
            values = {"token": lease.token, "owner": self._id}
            if conn.execute(update(leases).where(mine).values(**values)).rowcount == 0:
                conn.execute(insert(leases).values(incident_id=incident_id, **values))
            return lease

        return await self._as_living(work)

    async def release(self, lease: Lease) -> None:
        ended = delete(leases).where(leases.c.incident_id == lease.incident_id, leases.c.token == lease.token)
        await self._db.write(lambda conn: conn.execute(ended))

    async def taken(self) -> frozenset[IncidentId]:
        def work(conn: Connection) -> frozenset[IncidentId]:
            others = living(conn, self._moment(conn) - self._lapse) - {self._id}
            query = select(leases.c.incident_id).where(leases.c.owner.in_(sorted(others)))
            return frozenset(conn.execute(query).scalars()) if others else frozenset()

        return await self._db.read(work)

    async def replicas(self) -> list[Replica]:
        def work(conn: Connection) -> list[Replica]:
            alive = living(conn, self._moment(conn) - self._lapse)
            rows = conn.execute(select(replicas).order_by(replicas.c.since, replicas.c.id))
            return [
                Replica(row.name, parse_time(row.since), parse_time(row.seen_at), row.id in alive)
                for row in rows
            ]

        return await self._db.read(work)

    async def _as_living(self, work: Callable[[Connection], T], *, is_urgent: bool = False) -> T:
        def unit(conn: Connection) -> T:
            self._beat(conn)
            return work(conn)

        result = await self._db.write(unit, is_urgent=is_urgent)
        self._is_known = True
        return result

    def _beat(self, conn: Connection) -> None:
        moment = self._moment(conn)
        now = isoformat(moment)
        if not self._is_known:
            is_past = (replicas.c.name == self._name) | (replicas.c.seen_at < isoformat(moment - REMEMBERED))
            conn.execute(delete(replicas).where(is_past, replicas.c.id != self._id))
        mine = replicas.c.id == self._id
        seen_at = conn.execute(select(replicas.c.seen_at).where(mine)).scalar()
        if seen_at is None:
            conn.execute(insert(replicas).values(id=self._id, name=self._name, since=now, seen_at=now))
            return
        was_silent = parse_time(seen_at) < moment - self._lapse / 2  # in a third of it a beat is due
        again = {"since": now} if was_silent else {}
        conn.execute(update(replicas).where(mine).values(seen_at=now, **again))

    def _moment(self, conn: Connection) -> datetime:
        return moment_of(conn) or self._db.now()


def moment_of(conn: Connection) -> datetime | None:
    """Return the time by the database's own clock; None for SQLite, which has that of its machine."""
    if conn.dialect.name != "postgresql":
        return None
    moment: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def living(conn: Connection, since: datetime) -> set[str]:
    """Return the services heard of since then."""
    query = select(replicas.c.id).where(replicas.c.seen_at > isoformat(since))
    return set(conn.execute(query).scalars())


def was_away(conn: Connection, now: datetime, lately: timedelta) -> bool:
    """Whether a service came (back) lately, or all have been silent since before: until then nobody was heard."""
    since = isoformat((moment_of(conn) or now) - lately)
    began, seen = conn.execute(select(func.max(replicas.c.since), func.max(replicas.c.seen_at))).one()
    return began is not None and (began > since or seen <= since)


def require(conn: Connection, lease: Lease | None) -> None:
    """Let a unit of work go on while its lease is the last one given. Raises LeaseLost."""
    if lease is None:
        return
    query = select(leases.c.token).where(leases.c.incident_id == lease.incident_id)
    if conn.execute(query).scalar() != lease.token:
        raise LeaseLost(
            f"another service carries incident {lease.incident_id} on",
            hint="Nothing was changed here; look at the incident for what has become of it.",
        )
