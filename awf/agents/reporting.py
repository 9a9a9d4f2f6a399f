"""Telling people: annotations in Grafana, notifications to on-call."""

from __future__ import annotations

from typing import Any

from awf.agents.decision import NOTIFY
from awf.agents.journal import Journal
from awf.agents.parts import WatcherParts
from awf.core import semconv as sc
from awf.core.actions import Applied, ApplyStatus, WorkOrder
from awf.core.escape import plain_text
from awf.core.incidents import ActionCall, ActionOutcome, Approval, Incident, IncidentStatus
from awf.core.notices import Notice, NoticeKind
from awf.core.types import ApprovalId
from awf.errors import AwfError

TAGS = ("awf", "remediation")


class Reporter:
    """Says what happened to an incident, where people look."""

    def __init__(self, parts: WatcherParts, journal: Journal) -> None:
        self._parts = parts
        self._journal = journal
        self._reminded: set[str] = set()  # the outbox sends each once: this only spares looking there

    async def tell(
        self,
        incident: Incident,
        kind: NoticeKind,
        key: str,
        text: str,
        *,
        approval_id: ApprovalId | None = None,
    ) -> None:
        """Tell people, once for each key. What fails is noted, not fatal: the outbox tries again."""
        notice = Notice.about(
            incident.id, kind, key, text,
            severity=incident.severity, link=self._link(incident), approval_id=approval_id,
        )  # fmt: skip
        told = await self._parts.people.tell(notice)
        if told.reached or told.waiting:
            await self._journal.note(incident.id, "notification", told.text)

    async def remind(self, incident: Incident, approval: Approval) -> None:
        """Tell people of a question, and once more when a quarter of its time is left."""
        left = approval.expires_at - self._parts.clock.now()
        is_late = left < (approval.expires_at - approval.created_at) / 4
        for key, begins in ((approval.id, "It asks"), (f"{approval.id}-late", "It still asks")):
            if key in self._reminded or (key != approval.id and not is_late):
                continue
            text = (
                f"{approval.summary}. {begins} whether to do {approval.action.name}: {approval.why_asked}. "
                f"The question expires at {approval.expires_at:%Y-%m-%d %H:%M} UTC"
            )
            await self.tell(incident, NoticeKind.ASKED, key, text, approval_id=approval.id)
            self._reminded.add(key)

    async def annotate(self, incident: Incident, applied: Applied, text: str) -> None:
        """Mark the action in Grafana, from the action until now. What fails is noted, not fatal."""
        name = incident.action.name if incident.action else ""
        cause = incident.hypotheses[0].summary if incident.hypotheses else "unknown cause"
        body = plain_text(
            f"AWF watcher: {cause}. {text}. Incident {incident.id} {self._link(incident)}", 1000
        )
        try:
            number = await self._parts.telemetry.annotate(
                body, tags=(*TAGS, name), at=applied.at, end=self._parts.clock.now()
            )
            said = f"annotated in Grafana (annotation {number})"
        except AwfError as error:
            said = f"not annotated in Grafana: {error.message}"
            self._parts.counters.add(sc.WATCHER_FAILURES, stage="annotating")
        await self._journal.record(incident.id, "annotation", said)

    async def escalate(
        self,
        incident: Incident,
        why: str,
        *,
        status: IncidentStatus = IncidentStatus.ESCALATED,
        outcome: ActionOutcome | None = None,
        page: bool = True,
    ) -> None:
        """Hand the incident to people: tell them, then close it."""
        if page:
            told = await self._page(incident, why)
            await self._journal.record(incident.id, "notification", told)
        changes: dict[str, Any] = {"outcome": outcome} if outcome is not None else {}
        await self._journal.record(incident.id, "status", f"{status.value}: {why}", status=status, **changes)
        self.count_action(incident, outcome)

    async def end(
        self, incident: Incident, status: IncidentStatus, outcome: ActionOutcome | None, text: str
    ) -> None:
        """Close an incident that needs nobody any more."""
        changes: dict[str, Any] = {"status": status, "outcome": outcome}
        if status in (IncidentStatus.RESOLVED, IncidentStatus.FALSE_ALARM):
            changes["resolved_at"] = self._parts.clock.now()
        kind = "notification" if outcome is ActionOutcome.NOTIFIED else "status"
        await self._journal.record(incident.id, kind, text, **changes)
        self.count_action(incident, outcome)

    def work_order(
        self, incident: Incident, call: ActionCall, approval: Approval | None = None, why: str = ""
    ) -> WorkOrder:
        """Return the order to carry a call out for an incident."""
        cause = incident.hypotheses[0].summary if incident.hypotheses else "the cause is unknown"
        return WorkOrder(
            incident_id=incident.id,
            call=call,
            severity=incident.severity,
            summary=f"{cause}. {why}" if why else cause,
            link=self._link(incident),
            approval=approval,
            decided_at=next(
                (entry.at for entry in reversed(incident.timeline) if entry.kind == "policy"), None
            ),
            is_trusted=self._parts.config.may_act,
            lease=self._journal.lease(incident.id),
        )

    def count_action(self, incident: Incident, outcome: ActionOutcome | None) -> None:
        """Count how an action ended."""
        if incident.action is not None and outcome is not None:
            by = incident.decided_by if incident.decided_by in ("", "rules", "llm") else "person"
            self._parts.counters.add(
                sc.WATCHER_ACTIONS, action=incident.action.name, outcome=outcome.value, decided_by=by
            )

    def count_page(self, applied: Applied) -> None:
        """Count that on-call could not be told."""
        if applied.status is not ApplyStatus.APPLIED:
            self._parts.counters.add(sc.WATCHER_FAILURES, stage="notifying")

    async def _page(self, incident: Incident, why: str) -> str:
        if NOTIFY not in self._parts.remediation.actions():
            return "nobody was told: notify_oncall is not registered"
        call = ActionCall(
            NOTIFY, {"cause": incident.cause.value if incident.cause else "unknown", "text": why}
        )
        applied = await self._parts.remediation.apply(self.work_order(incident, call, why=why))
        self.count_page(applied)
        return applied.detail

    def _link(self, incident: Incident) -> str:
        base = self._parts.config.public_url.rstrip("/")
        return f"{base}/ui/incidents/{incident.id}" if base else ""
