"""What is done with an incident in each status. Each stage stores its result before the next one begins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from awf.agents.acting import Acting
from awf.agents.approving import Approvals
from awf.agents.decision import NOTIFY, Decision, decide
from awf.agents.journal import Journal
from awf.agents.parts import WatcherParts
from awf.agents.places import places_of
from awf.agents.reporting import Reporter
from awf.analysis.findings import is_same_place
from awf.core import semconv as sc
from awf.core.codec import to_json
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


class Stages:
    """The incident's stage machine. A stage returns whether there is something to do right away."""

    def __init__(self, parts: WatcherParts, journal: Journal) -> None:
        self._parts = parts
        self._journal = journal
        self.approvals = Approvals(parts)
        self.report = Reporter(parts, journal)
        self._acting = Acting(parts, journal, self.report)
        self._looking = asyncio.Semaphore(parts.config.max_investigations)
        self._stages = {
            IncidentStatus.INVESTIGATING: self._investigate,
            IncidentStatus.HELD: self._hold,
            IncidentStatus.AWAITING_APPROVAL: self._await_approval,
            IncidentStatus.ACTING: self._acting.act,
            IncidentStatus.VERIFYING: self._acting.verify,
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

    async def is_due(self, incident: Incident) -> bool:
        """Whether an open incident can go on. A question that waits for its answer is asked again in time."""
        match incident.status:
            case IncidentStatus.INVESTIGATING if incident.follows is not None:
                leader = await self._parts.incidents.get(incident.follows)
                return is_over(incident) or not leader.status.is_open
            case IncidentStatus.HELD:
                return is_over(incident) or await self._acting.can_act()
            case IncidentStatus.ACTING:
                return await self._acting.can_act()
            case IncidentStatus.VERIFYING if incident.outcome is ActionOutcome.INEFFECTIVE:
                return await self._acting.can_act()
            case IncidentStatus.AWAITING_APPROVAL if incident.approval_id is not None:
                approval = await self._parts.approvals.get(incident.approval_id)
                if approval.status is ApprovalStatus.PENDING:
                    await self.report.remind(incident, approval)
                    return is_over(incident)
                is_approved = approval.status is ApprovalStatus.APPROVED
                return not is_approved or is_over(incident) or await self._acting.can_act()
        return True

    # -- before acting

    async def _investigate(self, incident: Incident) -> bool:
        if is_over(incident):
            await self.clear(incident)
            return True
        if incident.follows is not None:
            return await self._follow(incident, incident.follows)
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
        is_leader = partial(_is_of_the_same_cause, incident)
        leader = await self._parts.incidents.rival(incident.id, is_leader)
        if leader is not None:
            return await self._wait_for(incident, leader)
        advice = incident.advice
        decision = await self.choose(
            incident.hypotheses[0], incident.alerts, first=advice.action, is_blind=incident.is_blind
        )
        if decision is None:
            await self.report.escalate(incident, "no action is possible or allowed", page=False)
            return True
        chosen = await self._journal.choose(
            incident.id, f"{decision.call.name}: {decision.why}",
            {
                "arguments": to_json(decision.call.arguments), "play": decision.play,
                "considered": list(decision.considered), "advice": to_json(advice),
            },
            unless=is_leader, action=decision.call, decided_by=advice.decided_by,
        )  # fmt: skip
        if chosen.rival is not None:
            return await self._wait_for(incident, chosen.rival)
        return await self._under_policy(chosen.after, decision)

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
        is_asked, why = policy.verdict is Verdict.ASK, policy.reason
        if not self._parts.config.may_act and name != NOTIFY and not is_asked:
            is_asked, why = True, "no webhook secret is set, so nobody knows who sent the alert"
        if not await self._acting.can_act():
            would = f"would have {'asked whether to do' if is_asked else 'done'} {name}: {why}"
            is_dry = self._parts.config.dry_run
            text = f"dry run: {would}" if is_dry else f"the watcher is paused: {name} is not carried out"
            await self._journal.record(incident.id, "policy", text, detail, status=IncidentStatus.HELD)
            return False
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
        approval = await self.approvals.ask(
            incident, incident.action, summary=summary, why=why, lease=self._journal.lease(incident.id)
        )
        incident = await self._journal.record(
            incident.id, "approval", f"{approval.action.name} waits for an approval: {why}", detail,
            status=IncidentStatus.AWAITING_APPROVAL, approval_id=approval.id,
        )  # fmt: skip
        await self.report.remind(incident, approval)
        return approval

    async def _wait_for(self, incident: Incident, leader: Incident) -> bool:
        text = f"the same cause as incident {leader.id}, which is being handled: this one waits for it"
        # Without an action of its own: two that wait for one another would wait for ever.
        await self._journal.record(incident.id, "decision", text, follows=leader.id, action=None)
        return False

    async def _follow(self, incident: Incident, leader_id: IncidentId) -> bool:
        leader = await self._parts.incidents.get(leader_id)
        if leader.status.is_open:
            return False
        text = f"incident {leader_id} of the same cause is {leader.status.value}"
        if leader.status is IncidentStatus.FALSE_ALARM:
            await self._journal.record(
                incident.id, "status", f"{text}: this one still fires, looking again", follows=None
            )
            return True
        await self._journal.record(
            incident.id, "status", text, follows=None, status=leader.status, action=leader.action,
            outcome=leader.outcome, resolved_at=leader.resolved_at,
        )  # fmt: skip
        return True

    async def _hold(self, incident: Incident) -> bool:
        if is_over(incident):
            await self.clear(incident)
            return True
        if not await self._acting.can_act():
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
            if not await self._acting.can_act():
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

    # -- the end

    async def clear(self, incident: Incident) -> None:
        """Close an incident that needs nothing: its alerts are gone, or were never true."""
        is_false = incident.cause is CauseClass.FALSE_ALARM
        status = IncidentStatus.FALSE_ALARM if is_false else IncidentStatus.RESOLVED
        text = (
            "a false alarm: nothing is done" if is_false else "all alerts resolved before anything was done"
        )
        await self.report.end(incident, status, None, text)


def is_over(incident: Incident) -> bool:
    """Whether every alert of the incident has resolved."""
    return all(alert.status == "resolved" for alert in incident.alerts)


def _is_of_the_same_cause(incident: Incident, other: Incident) -> bool:
    """Whether another incident has the same cause, seen in the same place."""
    return other.cause is incident.cause and (
        incident.cause is CauseClass.WORKER_SATURATION
        or any(is_same_place(a, b) for a in places_of(incident) for b in places_of(other))
    )
