"""Actions that were begun, and what came of them: what the limits of all services are counted by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from awf.core.actions import Attempt
from awf.core.clock import isoformat
from awf.core.codec import from_json, to_json
from awf.core.incidents import WATCHER_NAME, IncidentStatus
from awf.core.leases import Lease
from awf.core.types import Json
from awf.state.audit import append_entry
from awf.state.database import Database
from awf.state.leases import require
from awf.state.schema import attempts, incidents, take_numbers

INTENT = "action.intent"
_OPEN = frozenset(status.value for status in IncidentStatus if status.is_open)


class Attempts:
    """Implements `AttemptLog`. Units that write run one after the other: two services never share the last slot."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def begin(
        self,
        attempt: Attempt,
        objection: Callable[[Sequence[Attempt]], str],
        *,
        since: datetime,
        intent: Json,
        lease: Lease | None,
    ) -> str:
        def work(conn: Connection) -> str:
            require(conn, lease)
            if conn.execute(select(attempts.c.number).where(_same(attempt))).scalar() is not None:
                return ""
            if why := objection(_since(conn, since)):
                return why
            conn.execute(
                insert(attempts).values(
                    number=take_numbers(conn, "attempts")[-1], incident_id=attempt.incident_id,
                    digest=attempt.digest, at=isoformat(attempt.at), outcome="", doc=to_json(attempt),
                )
            )  # fmt: skip
            self._note(conn, INTENT, attempt, intent)
            return ""

        return await self._db.write(work)

    async def end(self, attempt: Attempt, outcome: str, *, detail: Json, lease: Lease | None) -> None:
        def work(conn: Connection) -> None:
            require(conn, lease)
            conn.execute(update(attempts).where(_same(attempt)).values(outcome=outcome))
            self._note(conn, f"action.{outcome}", attempt, detail)

        await self._db.write(work)

    def _note(self, conn: Connection, event: str, attempt: Attempt, detail: Json) -> None:
        about = {"action": attempt.action, "digest": attempt.digest}
        append_entry(
            conn, at=self._db.now_text(), actor=WATCHER_NAME, event=event, subject=attempt.incident_id,
            detail=about | detail,
        )  # fmt: skip


def _same(attempt: Attempt) -> Any:
    return (attempts.c.incident_id == attempt.incident_id) & (attempts.c.digest == attempt.digest)


def _since(conn: Connection, since: datetime) -> list[Attempt]:
    query = (
        select(attempts.c.doc, attempts.c.outcome, incidents.c.status)
        .outerjoin(incidents, incidents.c.id == attempts.c.incident_id)
        .where(attempts.c.at >= isoformat(since))
        .order_by(attempts.c.number.desc())
    )
    return [_read(row) for row in conn.execute(query)]


def _read(row: Any) -> Attempt:
    is_closed = row.status is not None and row.status not in _OPEN
    attempt = from_json(Attempt, row.doc)
    return replace(attempt, outcome=row.outcome, is_over=bool(row.outcome) or is_closed)
