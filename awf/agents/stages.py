"""What is done with an incident in each status. Each stage stores its result before the next one begins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from awf.agents.approving import Approvals
from awf.agents.decision import NOTIFY, Decision, decide
from awf.agents.intake import Intake, places_of
from awf.agents.journal import Journal
from awf.agents.parts import WatcherParts
from awf.agents.reporting import Reporter
from awf.analysis.findings import is_same_place
from awf.core import semconv as sc
from awf.core.actions import Applied, ApplyStatus, Effect, WorkOrder
from awf.core.codec import from_json, to_json
from awf.core.incidents import (
    ActionOutcome,
    Alert,
    Approval,
    ApprovalStatus,
    CauseClass,
    Hypothesis,
    Incident,
    IncidentStatus,
    Investigation,
    Verdict,
)
from awf.core.notices import NoticeKind
from awf.core.types import IncidentId, Json

APPLIED = "applied"
_HANDLED = frozenset(
    {IncidentStatus.ACTING, IncidentStatus.VERIFYING, IncidentStatus.AWAITING_APPROVAL, IncidentStatus.HELD}
)


class Stages:
    """The incident's stage machine. A stage returns whether there is something to do right away."""

    def __init__(self, parts: WatcherParts, journal: Journal, intake: Intake) -> None:
        self._parts = parts
        self._journal = journal
        self._intake = intake
        self.approvals = Approvals(parts)
        self.report = Reporter(parts, journal)
        self._deciding = asyncio.Lock()
        self._looking = asyncio.Semaphore(parts.config.max_investigations)
        self._leaders: dict[IncidentId, IncidentId] = {}  # waits for an incident of the same cause
        self._stages = {
            IncidentStatus.INVESTIGATING: self._investigate,
            IncidentStatus.HELD: self._hold,
            IncidentStatus.AWAITING_APPROVAL: self._await_approval,
            IncidentStatus.ACTING: self._act,
            IncidentStatus.VERIFYING: self._verify,
        }

    async def advance(self, incident_id: IncidentId) -> Incident:
        """Carry an incident on until it is closed or waits for something."""
        while True:
            incident = await self._parts.incidents.get(incident_id)
            stage = self._stages.get(incident.status)
            if stage is None or not await stage(incident):
                incident = await self._parts.incidents.get(incident_id)
                if incident.resolved_at is not None:
                    await self.report.tell(incident, NoticeKind.ENDED, "1", incident.timeline[-1].text)
                return incident

    # -- before acting

    async def _investigate(self, incident: Incident) -> bool:
        if is_over(incident):
            await self.clear(incident)
            return True
        if incident.id in self._leaders:
            return await self._follow(incident, self._leaders[incident.id])
        found = await self._look(incident)
        best = found.hypotheses[0]
        detail = {
            "queries": found.queries, "duration_ms": round(found.duration_ms), "bytes": found.bytes_read,
            "not_looked_at": list(found.not_looked_at), "ruled_out": list(found.ruled_out),
        }  # fmt: skip
        incident = await self._journal.record(
            incident.id,
            "investigation",
            f"{best.summary} (score {best.score:.2f}, {found.queries} queries, {found.duration_ms:.0f} ms)",
            detail,
            hypotheses=found.hypotheses,
            cause=best.cause,
            target=best.target,
            ruled_out=found.ruled_out,
            not_looked_at=found.not_looked_at,
            is_blind=found.is_blind,
            advice=found.advice,
        )
        async with self._deciding:
            return await self._decide(await self._parts.incidents.get(incident.id))

    async def _look(self, incident: Incident) -> Investigation:
        config = self._parts.config
        for look in range(1, config.looks + 1):
            async with self._looking:
                found = await self._parts.investigator.investigate(incident.alerts)
            self._parts.counters.observe(sc.WATCHER_INVESTIGATION_MS, round(found.duration_ms, 1))
            if found.not_looked_at:
                self._parts.counters.add(sc.WATCHER_FAILURES, stage="querying")
            if found.hypotheses[0].cause is not CauseClass.UNKNOWN or look == config.looks:
                break
            text = f"{found.hypotheses[0].summary}; looking again in {config.look_again_s:.0f} s"
            await self._journal.record(incident.id, "investigation", text, hypotheses=found.hypotheses)
            await self._parts.clock.sleep(config.look_again_s)
        return found

    async def _decide(self, incident: Incident) -> bool:
        if is_over(incident) or incident.cause is CauseClass.FALSE_ALARM:
            await self.clear(incident)
            return True
        leader = await self._leader(incident)
        if leader is not None:
            self._leaders[incident.id] = leader.id
            text = f"the same cause as incident {leader.id}, which is being handled: this one waits for it"
            await self._journal.record(incident.id, "decision", text)
            return False
        advice = incident.advice
        decision = await self.choose(
            incident.hypotheses[0], incident.alerts, first=advice.action, is_blind=incident.is_blind
        )
        if decision is None:
            await self.report.escalate(incident, "no action is possible or allowed", page=False)
            return True
        incident = await self._journal.record(
            incident.id, "decision", f"{decision.call.name}: {decision.why}",
            {
                "arguments": to_json(decision.call.arguments), "play": decision.play,
                "considered": list(decision.considered), "advice": to_json(advice),
            },
            action=decision.call, decided_by=advice.decided_by,
        )  # fmt: skip
        return await self._under_policy(incident, decision)

    async def choose(
        self, hypothesis: Hypothesis, alerts: Sequence[Alert], *, first: str = "", is_blind: bool = False
    ) -> Decision | None:
        """Return the action to take against a cause, None when even telling people is denied."""
        parts = self._parts
        return await decide(
            hypothesis, alerts, parts.remediation, parts.playbook, first=first, is_blind=is_blind
        )

    async def _under_policy(self, incident: Incident, decision: Decision) -> bool:
        policy, name = decision.policy, decision.call.name
        detail = {"rule": policy.rule, "policy_hash": policy.policy_hash}
        if await self._parts.switch.is_paused():
            text = f"the watcher is paused: {name} is not carried out"
            await self._journal.record(incident.id, "policy", text, detail, status=IncidentStatus.HELD)
            return False
        why = policy.reason
        is_asked = policy.verdict is Verdict.ASK
        if not self._parts.config.may_act and name != NOTIFY and not is_asked:
            is_asked, why = True, "no webhook secret is set, so nobody knows who sent the alert"
        if not is_asked:
            text = f"{name} is allowed: {why}"
            await self._journal.record(incident.id, "policy", text, detail, status=IncidentStatus.ACTING)
            return True
        await self.ask(incident, why, detail)
        return False

    async def ask(self, incident: Incident, why: str, detail: Json | None = None) -> Approval:
        """Ask people about the incident's action. Raises ValueError when it has none."""
        if incident.action is None:
            raise ValueError(f"incident {incident.id} has no action to ask about")
        summary = incident.hypotheses[0].summary if incident.hypotheses else ""
        approval = await self.approvals.ask(incident, incident.action, summary=summary, why=why)
        incident = await self._journal.record(
            incident.id, "approval", f"{approval.action.name} waits for an approval: {why}", detail,
            status=IncidentStatus.AWAITING_APPROVAL, approval_id=approval.id,
        )  # fmt: skip
        await self.report.remind(incident, approval)
        return approval

    async def _leader(self, incident: Incident) -> Incident | None:
        """Return another incident that is handled already and whose cause was seen in the same place."""
        mine = places_of(incident)
        async for other in self._intake.open_incidents():
            is_handled = other.id != incident.id and other.status in _HANDLED
            same = other.cause is incident.cause and (
                incident.cause is CauseClass.WORKER_SATURATION
                or any(is_same_place(a, b) for a in mine for b in places_of(other))
            )
            if is_handled and same:
                return other
        return None

    async def _follow(self, incident: Incident, leader_id: IncidentId) -> bool:
        leader = await self._parts.incidents.get(leader_id)
        if leader.status.is_open:
            return False
        del self._leaders[incident.id]
        if leader.status is IncidentStatus.FALSE_ALARM:
            return True  # that alert is gone, this one is not: look again
        text = f"incident {leader_id} of the same cause is {leader.status.value}"
        changes: dict[str, Any] = {
            "status": leader.status,
            "action": leader.action,
            "outcome": leader.outcome,
        }
        await self._journal.record(incident.id, "status", text, **changes, resolved_at=leader.resolved_at)
        return True

    async def _hold(self, incident: Incident) -> bool:
        if is_over(incident):
            await self.clear(incident)
            return True
        if await self._parts.switch.is_paused():
            return False
        text = "the watcher is resumed: looking again"
        await self._journal.record(incident.id, "status", text, status=IncidentStatus.INVESTIGATING)
        return True

    async def _await_approval(self, incident: Incident) -> bool:
        if incident.approval_id is None:
            return False
        approval = await self._parts.approvals.get(incident.approval_id)
        if is_over(incident) and approval.status in (ApprovalStatus.PENDING, ApprovalStatus.APPROVED):
            await self.approvals.withdraw(approval.id, "the alert has resolved by itself")
            await self.clear(incident)
        elif approval.status is ApprovalStatus.PENDING:
            return False
        elif approval.status is ApprovalStatus.APPROVED:
            if await self._parts.switch.is_paused():
                return False
            text = f"approved by {approval.decided_by}" + (f": {approval.reason}" if approval.reason else "")
            await self._journal.record(
                incident.id, "approval", text, status=IncidentStatus.ACTING, decided_by=approval.decided_by
            )
        elif approval.status is ApprovalStatus.REJECTED:
            text = f"rejected by {approval.decided_by}: {approval.reason}"
            await self._journal.record(
                incident.id, "approval", text, status=IncidentStatus.ESCALATED,
                outcome=ActionOutcome.REJECTED, decided_by=approval.decided_by,
            )  # fmt: skip
        else:
            await self.approvals.count()
            await self.report.escalate(incident, "nobody answered the approval in time")
        return True

    # -- acting

    async def _act(self, incident: Incident) -> bool:
        if await self._parts.switch.is_paused():
            return False  # paused since it was decided; if it was ordered already, it is not ordered again
        work = await self._work(incident)
        applied = await self._parts.remediation.apply(work)
        name = work.call.name
        if name == NOTIFY:
            self.report.count_page(applied)
        if applied.status is ApplyStatus.APPLIED and name == NOTIFY:
            await self._end(incident, IncidentStatus.ESCALATED, ActionOutcome.NOTIFIED, applied.detail)
        elif applied.status is ApplyStatus.APPLIED:
            await self._journal.record(
                incident.id, "action", f"{name}: {applied.detail}", status=IncidentStatus.VERIFYING,
                change_before={APPLIED: to_json(applied)},
            )  # fmt: skip
        elif applied.status is ApplyStatus.UNCONFIRMED:
            text = f"{name} was ordered, but {applied.detail}"
            await self._journal.record(incident.id, "action", text, change_before={APPLIED: to_json(applied)})
            await self.report.escalate(
                incident, text, status=IncidentStatus.INCONCLUSIVE, outcome=ActionOutcome.INCONCLUSIVE
            )
        else:
            is_refusal = applied.status is ApplyStatus.REFUSED
            outcome = ActionOutcome.REFUSED if is_refusal else ActionOutcome.FAILED
            text = f"{name} {outcome.value}: {applied.detail}"
            await self._journal.record(incident.id, "action", text, outcome=outcome)
            await self.report.escalate(incident, text, outcome=outcome, page=name != NOTIFY)
        return True

    async def _verify(self, incident: Incident) -> bool:
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
        await self.report.annotate(incident, applied, text)
        if found.effect is Effect.EFFECTIVE:
            await self._end(incident, IncidentStatus.RESOLVED, ActionOutcome.VERIFIED, "resolved")
        else:
            await self.report.escalate(
                incident, text, status=IncidentStatus.INCONCLUSIVE, outcome=ActionOutcome.INCONCLUSIVE
            )
        return True

    async def _undo(self, incident: Incident, work: WorkOrder, applied: Applied) -> bool:
        if await self._parts.switch.is_paused():
            return False
        undone = await self._parts.remediation.undo(work, applied)
        is_undone = undone.status is ApplyStatus.APPLIED
        text = f"{work.call.name} did not help and {'was undone' if is_undone else 'is not undone'}: {undone.detail}"
        outcome = ActionOutcome.UNDONE if is_undone else ActionOutcome.INEFFECTIVE
        await self._journal.record(incident.id, "undo", text)
        await self.report.annotate(incident, applied, text)
        await self.report.escalate(incident, text, outcome=outcome)
        return True

    async def _work(self, incident: Incident) -> WorkOrder:
        if incident.action is None:
            raise ValueError(f"incident {incident.id} is {incident.status.value} without an action")
        approval = (
            await self._parts.approvals.get(incident.approval_id)
            if incident.approval_id is not None
            else None
        )
        return self.report.work_order(incident, incident.action, approval)

    # -- the end

    async def clear(self, incident: Incident) -> None:
        """Close an incident that needs nothing: its alerts are gone, or were never true."""
        is_false = incident.cause is CauseClass.FALSE_ALARM
        status = IncidentStatus.FALSE_ALARM if is_false else IncidentStatus.RESOLVED
        text = (
            "a false alarm: nothing is done" if is_false else "all alerts resolved before anything was done"
        )
        self._leaders.pop(incident.id, None)
        await self._end(incident, status, None, text)

    async def _end(
        self, incident: Incident, status: IncidentStatus, outcome: ActionOutcome | None, text: str
    ) -> None:
        changes: dict[str, Any] = {"status": status, "outcome": outcome}
        if status in (IncidentStatus.RESOLVED, IncidentStatus.FALSE_ALARM):
            changes["resolved_at"] = self._parts.clock.now()
        kind = "notification" if outcome is ActionOutcome.NOTIFIED else "status"
        await self._journal.record(incident.id, kind, text, **changes)
        self.report.count_action(incident, outcome)


def is_over(incident: Incident) -> bool:
    """Whether every alert of the incident has resolved."""
    return all(alert.status == "resolved" for alert in incident.alerts)
