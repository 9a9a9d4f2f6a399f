"""The kill switch."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from awf.state.database import Database
from awf.state.schema import switches

_NAME = "watcher_paused"


class Switch:
    """Implements `WatcherSwitch`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def is_paused(self) -> bool:
        query = select(switches.c.is_on).where(switches.c.name == _NAME)
        return bool(await self._db.read(lambda conn: conn.execute(query).scalar()))

    async def set_paused(self, paused: bool, *, by: str) -> None:
        def work(conn: Connection) -> None:
            values = {"is_on": paused, "by": by, "at": self._db.now_text()}
            known = conn.execute(update(switches).where(switches.c.name == _NAME).values(**values))
            if known.rowcount == 0:
                conn.execute(insert(switches).values(name=_NAME, **values))

        await self._db.write(work)
