"""From a cause to an action: one table of candidates, asked in order whether they can be taken here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from awf.agents.investigation import CONVINCING
from awf.core import semconv as sc
from awf.core.incidents import ActionCall, Alert, CauseClass, Hypothesis, PolicyDecision, Verdict
from awf.core.ports import Remediation

NOTIFY = "notify_oncall"

CANDIDATES: Mapping[CauseClass, tuple[str, ...]] = {
    CauseClass.AGENT_ERROR: ("switch_fallback", "disable_agent"),
    CauseClass.AGENT_LATENCY: ("switch_fallback", "increase_timeout"),
    CauseClass.RATE_LIMIT: ("switch_fallback",),
    CauseClass.PROVIDER_OUTAGE: ("switch_fallback",),
    CauseClass.WORKER_SATURATION: ("scale_workers",),
    CauseClass.WORKFLOW_FAILURE: ("restart_workflow", "retry_step"),
    CauseClass.TOKEN_SURGE: (),
    CauseClass.TELEMETRY_GAP: (),
    CauseClass.FALSE_ALARM: (),
    CauseClass.UNKNOWN: (),
}
"""What may help against a cause, best first. Telling people comes after all of them."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The action to take, what the policy says to it, and why each other candidate fell out."""

    call: ActionCall
    policy: PolicyDecision
    why: str
    considered: tuple[str, ...] = ()


async def decide(
    hypothesis: Hypothesis, alerts: Sequence[Alert], remediation: Remediation
) -> Decision | None:
    """Return the first candidate that can be planned and that the policy does not deny; None if there is none."""
    severity = worst_severity(alerts)
    considered: list[str] = []
    for name in _candidates(hypothesis, alerts, remediation):
        plan = await remediation.plan(name, hypothesis)
        if plan.call is None:
            considered.append(f"{name}: {plan.why}")
            continue
        policy = remediation.judge(plan.call, severity=severity)
        if policy.verdict is Verdict.DENY:
            considered.append(f"{name}: denied by policy: {policy.reason}")
            continue
        return Decision(plan.call, policy, plan.why, tuple(considered))
    return None


def worst_severity(alerts: Sequence[Alert]) -> str:
    """Return the most severe of the alerts' severities; one we do not know counts least."""
    order = ("critical", "error", "warning", "info")
    known = [alert.severity for alert in alerts if alert.severity in order]
    return min(known, key=order.index) if known else "none"


def _candidates(hypothesis: Hypothesis, alerts: Sequence[Alert], remediation: Remediation) -> list[str]:
    registered = remediation.actions()
    names: list[str] = []
    # Without a convincing cause nothing was observed that an action could be about.
    if hypothesis.score >= CONVINCING and hypothesis.cause is not CauseClass.UNKNOWN:
        names += CANDIDATES[hypothesis.cause]
        names += [alert.annotations.get(sc.ANNOTATION_ACTION, "") for alert in alerts]
    return [name for name in dict.fromkeys([*names, NOTIFY]) if name in registered]
