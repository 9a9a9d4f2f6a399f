"""What must not be taken twice, for as long as it would be believed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from awf.core.clock import isoformat
from awf.state.database import Database
from awf.state.schema import replays
from awf.state.tokens import secret_hash


class Replays:
    """Implements `ReplayMemory`. Units of work that write run one after the other, so one of many is first."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def is_new(self, key: str, *, until: datetime) -> bool:
        def work(conn: Connection) -> bool:
            conn.execute(delete(replays).where(replays.c.until < self._db.now_text()))
            found = conn.execute(select(replays.c.hash).where(replays.c.hash == secret_hash(key))).scalar()
            if found is None:
                conn.execute(insert(replays).values(hash=secret_hash(key), until=isoformat(until)))
            return found is None

        return await self._db.write(work)
