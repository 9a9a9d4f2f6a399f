"""An incident and its question that have the hostile strings in every field which holds text."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from awf.core.incidents import (
    ActionCall,
    Advice,
    Alert,
    Approval,
    ApprovalStatus,
    CauseClass,
    Evidence,
    Hypothesis,
    Incident,
    IncidentStatus,
    Target,
    TimelineEntry,
)
from awf.core.types import ApprovalId, IncidentId
from tests.security._strings import HOSTILE

APPROVAL = ApprovalId("apr_hostile")


def hostile_incident(now: datetime) -> tuple[Incident, Approval]:
    texts = " | ".join(HOSTILE)
    targets = [Target(text, text, text, text, text) for text in HOSTILE]
    evidence = tuple(Evidence("logs", text, text, now, now, link=text) for text in HOSTILE)
    alerts = tuple(
        Alert(
            f"f{number}", "firing", now, {"alertname": text, text: text}, {"summary": text, "runbook_url": text},
            generator_url=text,
        )
        for number, text in enumerate(HOSTILE)
    )  # fmt: skip
    steps = [{"workflow_id": text, "step_id": text, text: text} for text in HOSTILE]
    call = ActionCall("switch_fallback", {"steps": steps, "note": texts})
    hypotheses = tuple(
        Hypothesis(CauseClass.AGENT_ERROR, target, 0.9, text, evidence[:3], (text,), tuple(targets[:2]))
        for text, target in zip(HOSTILE, targets, strict=True)
    )
    hypotheses = (replace(hypotheses[0], evidence=evidence), *hypotheses[1:])
    timeline = tuple(TimelineEntry(now, "alert", text, {text: text}) for text in HOSTILE)
    incident = Incident(
        IncidentId("inc_hostile"), IncidentStatus.AWAITING_APPROVAL, texts[:50], alerts, now, CauseClass.AGENT_ERROR,
        targets[0], hypotheses, call, decided_by=texts, approval_id=APPROVAL, timeline=timeline, ruled_out=tuple(HOSTILE),
        not_looked_at=tuple(HOSTILE), advice=Advice("llm", texts, texts, texts),
    )  # fmt: skip
    approval = Approval(
        APPROVAL, incident.id, ApprovalStatus.PENDING, call, texts, texts, "approver", now, now + timedelta(hours=1),
        blast_radius=texts, alternatives=tuple(HOSTILE), quorum=3, approved_by=(HOSTILE[30],),
    )  # fmt: skip
    return incident, approval
