"""Questions to people; one answer wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from awf.core.codec import from_json, to_json
from awf.core.incidents import Approval, ApprovalStatus
from awf.core.leases import Lease
from awf.core.types import ApprovalId
from awf.errors import Conflict, Expired, NotFound
from awf.state.database import Database
from awf.state.leases import require
from awf.state.schema import approvals, take_numbers


class Approvals:
    """Implements `ApprovalStore`. Expiry is computed when read: no sweep has to run for it to hold."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(self, approval: Approval, *, lease: Lease | None = None) -> None:
        def work(conn: Connection) -> None:
            require(conn, lease)
            conn.execute(
                insert(approvals).values(
                    id=approval.id,
                    number=take_numbers(conn, "approvals")[-1],
                    status=approval.status.value,
                    expires_at=to_json(approval.expires_at),
                    doc=to_json(approval),
                )
            )

        await self._db.write(work)

    async def get(self, approval_id: ApprovalId) -> Approval:
        return await self._db.read(lambda conn: self._get(conn, approval_id))

    async def pending(self) -> list[Approval]:
        query = (
            select(approvals.c.doc)
            .where(
                approvals.c.status == ApprovalStatus.PENDING.value,
                approvals.c.expires_at > self._db.now_text(),
            )
            .order_by(approvals.c.number)
        )
        docs = await self._db.read(lambda conn: conn.execute(query).scalars().all())
        return [from_json(Approval, doc) for doc in docs]

    async def decide(self, approval_id: ApprovalId, *, approve: bool, by: str, reason: str) -> Approval:
        def work(conn: Connection) -> Approval:
            found = self._get(conn, approval_id)
            if found.status is ApprovalStatus.EXPIRED:
                raise Expired(
                    f"approval {approval_id} expired at {to_json(found.expires_at)}",
                    hint="The incident has gone on without it; look there for what to do.",
                )
            if found.status is not ApprovalStatus.PENDING:
                raise Conflict(
                    f"approval {approval_id} was already {found.status.value} by {found.decided_by or 'another'}",
                    hint="One answer wins; open a new incident if it was wrong.",
                )
            answered = _answered(found, approve=approve, by=by, reason=reason, at=self._db.now())
            conn.execute(
                update(approvals)
                .where(approvals.c.id == approval_id)
                .values(status=answered.status.value, doc=to_json(answered))
            )
            return answered

        return await self._db.write(work)

    def _get(self, conn: Connection, approval_id: ApprovalId) -> Approval:
        doc = conn.execute(select(approvals.c.doc).where(approvals.c.id == approval_id)).scalar()
        if doc is None:
            raise NotFound(f"no approval {approval_id!r}", hint="GET /approvals/pending lists them.")
        found = from_json(Approval, doc)
        if found.status is ApprovalStatus.PENDING and found.expires_at <= self._db.now():
            return replace(found, status=ApprovalStatus.EXPIRED)
        return found


def _answered(found: Approval, *, approve: bool, by: str, reason: str, at: datetime) -> Approval:
    """Return a pending approval after one more answer. Units of work that write run one after the other."""
    if not approve:
        return replace(found, status=ApprovalStatus.REJECTED, decided_at=at, decided_by=by, reason=reason)
    if by in found.approved_by:
        missing = found.quorum - len(found.approved_by)
        raise Conflict(
            f"{by} has approved {found.id} already",
            hint=f"It needs {missing} more {'person' if missing == 1 else 'people'}.",
        )
    people = (*found.approved_by, by)
    if len(people) < found.quorum:
        return replace(found, approved_by=people)
    return replace(
        found, status=ApprovalStatus.APPROVED, approved_by=people, decided_at=at, decided_by=", ".join(people), reason=reason,
    )  # fmt: skip
