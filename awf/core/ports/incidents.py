"""What the watcher keeps of its incidents, and who may work at one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from awf.core.actions import Attempt
from awf.core.incidents import Alert, Approval, AuditEntry, Incident
from awf.core.leases import Lease, Replica
from awf.core.ports.page import Page
from awf.core.types import ApprovalId, IncidentId, Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Alerts that came together, and the body that brought them."""

    alerts: Sequence[Alert]
    body: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """An incident as it was saved; every save of any incident has a higher `revision` than all before."""

    revision: int
    incident: Incident


@dataclass(frozen=True, slots=True)
class Changed:
    """An incident before and after a change; with a `rival` nothing was changed."""

    before: Incident
    after: Incident
    rival: Incident | None = None


class Leases(Protocol):
    """Which of the services that share the state carries which incident on. Only the database's clock counts, and
    only for how long a silent service keeps its incidents: what a lease allows, its token decides."""

    async def beat(self) -> None:
        """Say that this service lives."""
        ...

    async def leave(self) -> None:
        """Give up all leases of this service."""
        ...

    async def take(self, incident_id: IncidentId) -> Lease | None:
        """Take an incident; None while another living service has it. A second lease of one's own ends the first."""
        ...

    async def release(self, lease: Lease) -> None: ...

    async def taken(self) -> frozenset[IncidentId]:
        """Return the incidents that other living services have."""
        ...

    async def replicas(self) -> list[Replica]:
        """Return the services heard of in the last hour, oldest first."""
        ...


class AttemptLog(Protocol):
    """What was tried where, and what came of it: of all services together, so that limits hold for all."""

    async def begin(
        self,
        attempt: Attempt,
        objection: Callable[[Sequence[Attempt]], str],
        *,
        since: datetime,
        intent: Json,
        lease: Lease | None,
    ) -> str:
        """Ask for an objection, given the attempts since then, newest first; without one write the attempt down,
        and the intent into the audit log, in the same unit of work. Return the objection, empty when the attempt may
        go on; one that was begun before goes on. Raises LeaseLost."""
        ...

    async def end(self, attempt: Attempt, outcome: str, *, detail: Json, lease: Lease | None) -> None:
        """Note what came of an attempt, there and in the audit log. Raises LeaseLost."""
        ...


class Desk(Protocol):
    """The incidents within one unit of work: nobody's change comes between what is read and what is saved."""

    def receive(self, deliveries: Sequence[Delivery]) -> list[list[Alert]]:
        """Keep deliveries, and return of each the alerts whose `dedupe_key` had not been seen."""
        ...

    def saved_since(self, revision: int) -> list[Saved]:
        """Return every incident that was saved after a revision, as it is now, in the order of their revisions."""
        ...

    def last_for(self, fingerprint: str) -> Incident | None:
        """Return the newest incident, open or closed, that holds an alert of this fingerprint."""
        ...

    def save(self, incidents: Sequence[Incident]) -> list[Saved]: ...


class IncidentStore(Protocol):
    async def at_desk(self, work: Callable[[Desk], T]) -> T:
        """Do several things in one unit of work, alone among all services. It may be done anew when it failed, so
        `work` changes nothing but by the desk, and only computes."""
        ...

    async def change(
        self,
        incident_id: IncidentId,
        make: Callable[[Incident], Incident],
        *,
        lease: Lease | None = None,
        unless: Callable[[Incident], bool] | None = None,
    ) -> Changed:
        """Store what `make` makes of the incident as it is now; in one unit of work, so `make` only computes.

        With `unless`, nothing is stored when another open incident that has chosen its action satisfies it.
        Raises NotFound, LeaseLost.
        """
        ...

    async def rival(self, incident_id: IncidentId, is_rival: Callable[[Incident], bool]) -> Incident | None:
        """Return another open incident that has chosen its action and satisfies this, if there is one."""
        ...

    async def last_revision(self) -> int: ...

    async def saved_since(self, revision: int) -> list[Saved]:
        """Return every incident that was saved after a revision, as it is now, in the order of their revisions."""
        ...

    async def get(self, incident_id: IncidentId) -> Incident:
        """Raises NotFound."""
        ...

    async def list(
        self, *, status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Incident]:
        """Newest first."""
        ...

    def changed(self) -> AsyncIterator[Incident]:
        """Yield every incident from now on, each time it is saved; saves of one incident in quick
        succession may show as the last of them only."""
        ...


class ApprovalStore(Protocol):
    async def create(self, approval: Approval, *, lease: Lease | None = None) -> None:
        """Raises LeaseLost."""
        ...

    async def get(self, approval_id: ApprovalId) -> Approval:
        """Raises NotFound. One whose time has passed is returned as expired."""
        ...

    async def pending(self) -> list[Approval]:
        """Return what waits for a person, oldest first."""
        ...

    async def decide(self, approval_id: ApprovalId, *, approve: bool, by: str, reason: str) -> Approval:
        """Take an answer: one claim wins. An approval that needs more people stays pending.

        Raises NotFound, Expired, or Conflict when already decided, or approved by the same person before.
        """
        ...


class AuditLog(Protocol):
    async def append(self, *, actor: str, event: str, subject: str, detail: Json) -> AuditEntry: ...

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditEntry]:
        """Newest first."""
        ...

    async def verify(self) -> int:
        """Walk the whole chain and return how many entries it has. Raises Conflict naming the first
        entry whose hash does not fit."""
        ...


class WatcherSwitch(Protocol):
    """The kill switch: persisted, shared by everyone who reads the same state."""

    async def is_paused(self) -> bool: ...

    async def set_paused(self, paused: bool, *, by: str) -> None: ...
