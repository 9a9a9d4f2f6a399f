"""What is done once an action is decided: order it, see whether it helped, and put back what did not."""

from __future__ import annotations

from awf.agents.decision import NOTIFY
from awf.agents.journal import Journal
from awf.agents.parts import WatcherParts
from awf.agents.reporting import Reporter
from awf.core.actions import Applied, ApplyStatus, Effect, WorkOrder
from awf.core.codec import from_json, to_json
from awf.core.incidents import ActionOutcome, Incident, IncidentStatus

APPLIED = "applied"


class Acting:
    """The stages from the order on. Each returns whether there is something to do right away."""

    def __init__(self, parts: WatcherParts, journal: Journal, report: Reporter) -> None:
        self._parts = parts
        self._journal = journal
        self._report = report

    async def can_act(self) -> bool:
        """Whether orders may be given now: the watcher is not paused, and this is no dry run."""
        return not self._parts.config.dry_run and not await self._parts.switch.is_paused()

    async def act(self, incident: Incident) -> bool:
        if not await self.can_act():
            return False  # paused since it was decided; if it was ordered already, it is not ordered again
        work = await self._work(incident)
        applied = await self._parts.remediation.apply(work)
        name = work.call.name
        if name == NOTIFY:
            self._report.count_page(applied)
        if applied.status is ApplyStatus.APPLIED and name == NOTIFY:
            await self._report.end(incident, IncidentStatus.ESCALATED, ActionOutcome.NOTIFIED, applied.detail)
        elif applied.status is ApplyStatus.APPLIED:
            await self._journal.record(
                incident.id, "action", f"{name}: {applied.detail}", status=IncidentStatus.VERIFYING,
                change_before={APPLIED: to_json(applied)},
            )  # fmt: skip
        elif applied.status is ApplyStatus.UNCONFIRMED:
            text = f"{name} was ordered, but {applied.detail}"
            await self._journal.record(incident.id, "action", text, change_before={APPLIED: to_json(applied)})
            await self._report.escalate(
                incident, text, status=IncidentStatus.INCONCLUSIVE, outcome=ActionOutcome.INCONCLUSIVE
            )
        else:
            is_refusal = applied.status is ApplyStatus.REFUSED
            outcome = ActionOutcome.REFUSED if is_refusal else ActionOutcome.FAILED
            text = f"{name} {outcome.value}: {applied.detail}"
            await self._journal.record(incident.id, "action", text, outcome=outcome)
            await self._report.escalate(incident, text, outcome=outcome, page=name != NOTIFY)
        return True

    async def verify(self, incident: Incident) -> bool:
        work = await self._work(incident)
        applied = from_json(Applied, incident.change_before[APPLIED])
        if incident.outcome is ActionOutcome.INEFFECTIVE:
            return await self._undo(incident, work, applied)
        found = await self._parts.remediation.verify(work, applied)
        text = f"{work.call.name} is {found.effect.value}: {found.statement}"
        detail = {"evidence": to_json(found.evidence)}
        if found.effect is Effect.INEFFECTIVE:
            outcome = ActionOutcome.INEFFECTIVE
            await self._journal.record(incident.id, "verification", text, detail, outcome=outcome)
            return True
        await self._journal.record(incident.id, "verification", text, detail)
        await self._report.annotate(incident, applied, text)
        if found.effect is Effect.EFFECTIVE:
            await self._report.end(incident, IncidentStatus.RESOLVED, ActionOutcome.VERIFIED, "resolved")
        else:
            await self._report.escalate(
                incident, text, status=IncidentStatus.INCONCLUSIVE, outcome=ActionOutcome.INCONCLUSIVE
            )
        return True

    async def _undo(self, incident: Incident, work: WorkOrder, applied: Applied) -> bool:
        if not await self.can_act():
            return False
        undone = await self._parts.remediation.undo(work, applied)
        is_undone = undone.status is ApplyStatus.APPLIED
        text = f"{work.call.name} did not help and {'was undone' if is_undone else 'is not undone'}: {undone.detail}"
        outcome = ActionOutcome.UNDONE if is_undone else ActionOutcome.INEFFECTIVE
        await self._journal.record(incident.id, "undo", text)
        await self._report.annotate(incident, applied, text)
        await self._report.escalate(incident, text, outcome=outcome)
        return True

    async def _work(self, incident: Incident) -> WorkOrder:
        if incident.action is None:
            raise ValueError(f"incident {incident.id} is {incident.status.value} without an action")
        approval = (
            await self._parts.approvals.get(incident.approval_id)
            if incident.approval_id is not None
            else None
        )
        return self._report.work_order(incident, incident.action, approval)
