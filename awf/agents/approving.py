"""Questions to people: asked once, bound to the exact action, answered, expired or withdrawn."""

from __future__ import annotations

from datetime import timedelta

from awf.agents.parts import ACTOR, WatcherParts
from awf.core import semconv as sc
from awf.core.incident_history import considered_in
from awf.core.incidents import ActionCall, Approval, ApprovalStatus, Incident
from awf.core.leases import Lease
from awf.core.types import ApprovalId, new_id
from awf.errors import Conflict, Expired


class Approvals:
    """Asks, and takes answers. The state decides who answers first."""

    def __init__(self, parts: WatcherParts) -> None:
        self._parts = parts

    async def ask(
        self, incident: Incident, call: ActionCall, *, summary: str, why: str, lease: Lease
    ) -> Approval:
        """Store a question about exactly this call. An incident has one question at a time. Raises LeaseLost."""
        asked = [each for each in await self._parts.approvals.pending() if each.incident_id == incident.id]
        approval = next((each for each in asked if each.action.digest == call.digest), None)
        if approval is None:  # else it was asked just before a restart
            approval = self._question(incident, call, summary=summary, why=why)
            await self._parts.approvals.create(approval, lease=lease)
            await self._note("approval.requested", approval, by=ACTOR)
        for each in asked:
            if each.id != approval.id:
                await self.withdraw(each.id, "another question takes its place")
        return approval

    def _question(self, incident: Incident, call: ActionCall, *, summary: str, why: str) -> Approval:
        """What is at stake comes from the registry of actions, and who has to agree from the policy."""
        parts = self._parts
        info = parts.remediation.actions()[call.name]
        policy = parts.remediation.judge(call, severity=incident.severity)
        now = parts.clock.now()
        return Approval(
            id=ApprovalId(new_id("apr")),
            incident_id=incident.id,
            status=ApprovalStatus.PENDING,
            action=call,
            summary=summary,
            why_asked=why,
            required_role=policy.role or parts.config.approver_role,
            is_reversible=info.is_reversible,
            blast_radius=info.blast_radius,
            alternatives=considered_in(incident),
            quorum=policy.approvals,
            created_at=now,
            expires_at=now + timedelta(seconds=parts.config.approval_ttl_s),
        )

    async def decide(self, approval_id: ApprovalId, *, approve: bool, by: str, reason: str) -> Approval:
        """Take an answer. Raises NotFound, Expired, Conflict."""
        approval = await self._parts.approvals.decide(approval_id, approve=approve, by=by, reason=reason)
        is_one_of_several = approval.status is ApprovalStatus.PENDING
        event = "approval.seconded" if is_one_of_several else f"approval.{approval.status.value}"
        await self._note(event, approval, by=by)
        return approval

    async def withdraw(self, approval_id: ApprovalId, why: str) -> None:
        """Take a question back that nobody has answered; one that was answered stays as it is."""
        try:
            await self.decide(approval_id, approve=False, by=ACTOR, reason=why)
        except (Conflict, Expired):
            return

    async def count(self) -> None:
        """Show how many questions wait, and when the first of them expires."""
        waiting, counters = await self._parts.approvals.pending(), self._parts.counters
        counters.set(sc.WATCHER_APPROVALS_PENDING, len(waiting))
        if not waiting:
            counters.unset(sc.WATCHER_APPROVAL_EXPIRES)
            return
        left = min(approval.expires_at for approval in waiting) - self._parts.clock.now()
        counters.set(sc.WATCHER_APPROVAL_EXPIRES, max(left.total_seconds(), 0.0))

    async def _note(self, event: str, approval: Approval, *, by: str) -> None:
        await self.count()
        await self._parts.audit.append(
            actor=by,
            event=event,
            subject=approval.incident_id,
            detail={
                "approval_id": approval.id,
                "action": approval.action.name,
                "digest": approval.action.digest,
                "reason": approval.reason,
            },
        )
