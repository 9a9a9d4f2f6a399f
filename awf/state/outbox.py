"""Notices until every channel has taken them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from awf.core.clock import isoformat, parse_time
from awf.core.codec import from_json, to_json
from awf.core.notices import Letter, Notice
from awf.core.types import IncidentId
from awf.state.database import Database
from awf.state.schema import outbox, take_numbers

KEPT_DAYS = 30


class OutboxTable:
    """Implements `Outbox`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, notice: Notice, channels: Sequence[str]) -> None:
        def work(conn: Connection) -> None:
            there = set(
                conn.execute(select(outbox.c.channel).where(outbox.c.notice_id == notice.id)).scalars()
            )
            now = self._db.now_text()
            for channel in channels:
                if channel in there:
                    continue
                conn.execute(
                    insert(outbox).values(
                        id=f"{notice.id}/{channel}", number=take_numbers(conn, "outbox")[-1], notice_id=notice.id,
                        incident_id=notice.incident_id, channel=channel, attempts=0, created_at=now, due_at=now,
                        thread="", error="", doc=to_json(notice),
                    )
                )  # fmt: skip
            self._forget_old(conn)

        await self._db.write(work)

    async def take(self, *, notice_id: str = "", limit: int = 50, hold_s: float = 60.0) -> list[Letter]:
        def work(conn: Connection) -> list[Letter]:
            is_due = outbox.c.due_at <= self._db.now_text()
            wanted = (outbox.c.notice_id == notice_id) & is_due if notice_id else is_due
            rows = conn.execute(select(outbox).where(wanted).order_by(outbox.c.number).limit(limit)).all()
            held = isoformat(self._db.now() + timedelta(seconds=hold_s))
            conn.execute(update(outbox).where(outbox.c.id.in_([row.id for row in rows])).values(due_at=held))
            return [_letter(conn, row) for row in rows]

        return await self._db.write(work)

    async def sent(self, letter: Letter, thread: str) -> None:
        now = self._db.now_text()
        await self._change(letter, due_at=None, sent_at=now, thread=thread, error="")

    async def failed(self, letter: Letter, error: str, *, again_in_s: float | None) -> None:
        again = None if again_in_s is None else isoformat(self._db.now() + timedelta(seconds=again_in_s))
        await self._change(letter, due_at=again, error=error)

    async def channels_of(self, incident_id: IncidentId) -> set[str]:
        query = select(outbox.c.channel).where(outbox.c.incident_id == incident_id).distinct()
        return set(await self._db.read(lambda conn: conn.execute(query).scalars().all()))

    async def _change(self, letter: Letter, **values: Any) -> None:
        change = update(outbox).where(outbox.c.id == letter.id).values(attempts=letter.attempts + 1, **values)
        await self._db.write(lambda conn: conn.execute(change))

    def _forget_old(self, conn: Connection) -> None:
        before = isoformat(self._db.now() - timedelta(days=KEPT_DAYS))
        conn.execute(outbox.delete().where(outbox.c.created_at < before))


def _letter(conn: Connection, row: Any) -> Letter:
    first = (
        select(outbox.c.thread)
        .where(
            outbox.c.incident_id == row.incident_id, outbox.c.channel == row.channel, outbox.c.thread != ""
        )
        .order_by(outbox.c.number)
        .limit(1)
    )
    thread = conn.execute(first).scalar() or ""
    notice = from_json(Notice, row.doc)
    return Letter(row.channel, notice, parse_time(row.created_at), row.attempts, thread)
