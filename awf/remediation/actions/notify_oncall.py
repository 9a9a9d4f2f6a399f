"""Tell people. It changes nothing, so there is nothing to verify or undo."""

from __future__ import annotations

from awf.core.actions import Applied, ApplyStatus, Effect, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Target, Verdict
from awf.core.notices import Notice, NoticeKind
from awf.remediation.spec import ActionSpec, Situation, Tools

NAME = "notify_oncall"


def plan(situation: Situation) -> Plan:
    hypothesis = situation.hypothesis
    call = ActionCall(NAME, {"cause": hypothesis.cause.value, "text": hypothesis.summary})
    return Plan(call, "a person can be told")


def places(_: ActionCall) -> tuple[Target, ...]:
    return ()


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    key, severity, link = work.call.digest[:12], work.severity, work.link
    notice = Notice.about(work.incident_id, NoticeKind.TOLD, key, work.summary, severity=severity, link=link)
    told = await tools.people.tell(notice)
    is_out = bool(told.reached) or not told.waiting  # nothing waits: it was sent before a restart
    return Applied(ApplyStatus.APPLIED if is_out else ApplyStatus.FAILED, told.text, tools.clock.now())


async def verify(work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
    return Verification(Effect.INCONCLUSIVE, "telling people is no fix; whether they answer is theirs")


SPEC = ActionSpec(
    name=NAME,
    description="Send the incident to the on-call channels.",
    is_reversible=False,
    blast_radius="nothing is changed",
    default=Verdict.ALLOW,
    plan=plan,
    places=places,
    apply=apply,
    verify=verify,
)
