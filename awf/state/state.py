"""Everything durable behind one URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sqlalchemy import select

from awf.core.clock import Clock, SystemClock
from awf.state.approvals import Approvals
from awf.state.attempts import Attempts
from awf.state.audit import Audit
from awf.state.connecting import Password
from awf.state.controls import Controls
from awf.state.database import Database, open_database
from awf.state.executions import KEPT_EXECUTIONS, Executions
from awf.state.incidents import Incidents
from awf.state.leases import LAPSE_S, LeaseTable
from awf.state.outbox import OutboxTable
from awf.state.replays import Replays
from awf.state.sessions import Sessions
from awf.state.switch import Switch
from awf.state.tokens import Tokens


@dataclass(frozen=True, slots=True)
class State:
    """The repositories on one database; `sqlite:///:memory:` is the twin for tests.

    `controls` serves both `ControlStore` and `EngineDirectory`.
    """

    database: Database
    incidents: Incidents
    approvals: Approvals
    attempts: Attempts
    audit: Audit
    controls: Controls
    executions: Executions
    tokens: Tokens
    switch: Switch
    sessions: Sessions
    replays: Replays
    outbox: OutboxTable

    @classmethod
    async def open(
        cls,
        url: str = "sqlite:///:memory:",
        *,
        clock: Clock | None = None,
        control_timeout_s: float = 10.0,
        kept_executions: int = KEPT_EXECUTIONS,
        poll_s: float = 1.0,
        password: Password | None = None,
    ) -> Self:
        """Connect and create what is missing. `password` is asked at every connection to PostgreSQL.

        Raises DataDirError, MissingDependency, and StateUnavailable for a server that may answer later.
        """
        database = await open_database(url, clock or SystemClock(), poll_s=poll_s, password=password)
        return cls(
            database=database,
            incidents=await Incidents.open(database),
            approvals=Approvals(database),
            attempts=Attempts(database),
            audit=Audit(database),
            controls=Controls(database, timeout_s=control_timeout_s),
            executions=Executions(database, kept=kept_executions),
            tokens=Tokens(database),
            switch=Switch(database),
            sessions=Sessions(database),
            replays=Replays(database),
            outbox=OutboxTable(database),
        )

    def leases(self, name: str, *, lapse_s: float = LAPSE_S) -> LeaseTable:
        """Return the leases of the service of this name."""
        return LeaseTable(self.database, name=name, lapse_s=lapse_s)

    async def check(self) -> None:
        """Return when the database answers. Raises StateUnavailable."""
        await self.database.read(lambda conn: conn.execute(select(1)).scalar())

    async def aclose(self) -> None:
        """End every stream, finish what runs, close the connections."""
        await self.database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
