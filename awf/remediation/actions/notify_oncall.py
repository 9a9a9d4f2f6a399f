"""Tell people. It changes nothing, so there is nothing to verify or undo."""

from __future__ import annotations

import logging

from awf.core.actions import Applied, ApplyStatus, Effect, Plan, Verification, WorkOrder
from awf.core.incidents import ActionCall, Target, Verdict
from awf.errors import AwfError
from awf.remediation.spec import ActionSpec, Situation, Tools

logger = logging.getLogger(__name__)

NAME = "notify_oncall"


def plan(situation: Situation) -> Plan:
    hypothesis = situation.hypothesis
    call = ActionCall(NAME, {"cause": hypothesis.cause.value, "text": hypothesis.summary})
    return Plan(call, "a person can be told")


def places(_: ActionCall) -> tuple[Target, ...]:
    return ()


async def apply(work: WorkOrder, tools: Tools) -> Applied:
    title = f"AWF incident {work.incident_id}"
    reached, failures = [], []
    for notifier in tools.notifiers:
        try:
            await notifier.send(title, work.summary, severity=work.severity, link=work.link)
            reached.append(notifier.name)
        except AwfError as error:
            logger.warning("notification failed", extra={"notifier": notifier.name, "error": error.message})
            failures.append(f"{notifier.name}: {error.message}")
    status = ApplyStatus.APPLIED if reached else ApplyStatus.FAILED
    detail = f"told on-call by {', '.join(reached)}" if reached else "nobody was reached"
    return Applied(status, "; ".join([detail, *failures]), tools.clock.now())


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
