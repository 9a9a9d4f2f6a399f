"""The append-only, hash-chained record of who did what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select

from awf.core.audit_chain import GENESIS, Chain, digest
from awf.core.clock import parse_time
from awf.core.codec import to_json
from awf.core.incidents import AuditEntry
from awf.core.ports import Page
from awf.core.types import Json
from awf.state.database import Database
from awf.state.documents import dump_json, storable
from awf.state.paging import fetch_page
from awf.state.schema import audit, last_number, take_numbers

_SEQUENCE = "audit"
_BATCH = 1_000


class Audit:
    """Implements `AuditLog`. Append is one transaction; the unique `previous_hash` rules a fork out."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def append(self, *, actor: str, event: str, subject: str, detail: Json) -> AuditEntry:
        now = self._db.now_text()
        return await self._db.write(
            lambda conn: append_entry(conn, at=now, actor=actor, event=event, subject=subject, detail=detail)
        )

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditEntry]:
        return await self._db.read(
            lambda conn: fetch_page(conn, select(audit), audit.c.seq, _read, limit=limit, cursor=cursor)
        )

    async def verify(self) -> int:
        chain = Chain()
        last = await self._db.read(lambda conn: last_number(conn, _SEQUENCE))
        while chain.length < last:
            rows = await self._db.read(partial(_after, seq=chain.length))
            if not rows:
                raise chain.broken("is missing, and so is everything after it")
            for row in rows:
                chain.follow(row._mapping)
        return chain.length


def _after(conn: Connection, *, seq: int) -> Sequence[Any]:
    return conn.execute(select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(_BATCH)).all()


def append_entry(
    conn: Connection, *, at: str, actor: str, event: str, subject: str, detail: Json
) -> AuditEntry:
    """Append within a unit of work that writes: those run one after the other, so each follows the last entry."""
    # The hash is of what is stored.
    said = {"actor": storable(actor), "event": storable(event), "subject": storable(subject)}
    kept = json.loads(dump_json(to_json(detail)))
    seq = take_numbers(conn, _SEQUENCE)[-1]
    last = conn.execute(select(audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).scalar()
    values: dict[str, Any] = {
        "at": at, **said, "seq": seq, "detail": kept, "previous_hash": last or GENESIS
    }  # fmt: skip
    values["hash"] = digest(values)
    conn.execute(insert(audit).values(**values))
    return AuditEntry(**{**values, "at": parse_time(at)})


def _read(row: Any) -> AuditEntry:
    names = ("seq", "actor", "event", "subject", "detail", "previous_hash", "hash")
    return AuditEntry(at=parse_time(row.at), **{name: getattr(row, name) for name in names})
