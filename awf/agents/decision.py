"""From a cause to an action: the playbook's candidates, asked in order whether they can and may be taken here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from awf.agents.investigation import CONVINCING
from awf.core import semconv as sc
from awf.core.incidents import SEVERITIES, ActionCall, Alert, CauseClass, Hypothesis, PolicyDecision, Verdict
from awf.core.ports import Playbook, Remediation

NOTIFY = "notify_oncall"
UNSEEN = "a part of telemetry could not be read, so another cause cannot be ruled out"


@dataclass(frozen=True, slots=True)
class Decision:
    """The action to take, what the policy says to it, whose candidate it is, and why each other fell out."""

    call: ActionCall
    policy: PolicyDecision
    why: str
    play: str
    considered: tuple[str, ...] = ()


async def decide(
    hypothesis: Hypothesis,
    alerts: Sequence[Alert],
    remediation: Remediation,
    playbook: Playbook,
    *,
    first: str = "",
    is_blind: bool = False,
) -> Decision | None:
    """Return the first candidate that can be planned and that the policy does not deny; None if there is none.

    `first` names the candidate that a model prefers; what is none of them changes nothing. `is_blind` says that a
    signal that decides could not be read: then people are asked before anything is done.
    """
    severity = worst_severity(alerts)
    considered: list[str] = []
    candidates = _preferring(first, _candidates(hypothesis, alerts, playbook))
    names = [name for name in candidates if name in remediation.actions()]
    for place, name in enumerate(names):
        plan = await remediation.plan(name, hypothesis)
        if plan.call is None:
            considered.append(f"{name}: {plan.why}")
            continue
        policy = remediation.judge(plan.call, severity=severity)
        if policy.verdict is Verdict.DENY:
            considered.append(f"{name}: denied by policy: {policy.reason}")
            continue
        if is_blind and policy.verdict is Verdict.ALLOW and name != NOTIFY:
            policy = replace(policy, verdict=Verdict.ASK, reason=UNSEEN)
        considered += [f"{later}: comes after it" for later in names[place + 1 :]]
        return Decision(plan.call, policy, plan.why, candidates[name], tuple(considered))
    return None


def _preferring(first: str, candidates: dict[str, str]) -> dict[str, str]:
    return {first: candidates[first]} | candidates if first in candidates else candidates


def worst_severity(alerts: Sequence[Alert]) -> str:
    """Return the most severe of the alerts' severities; one we do not know counts least."""
    known = [alert.severity for alert in alerts if alert.severity in SEVERITIES]
    return min(known, key=SEVERITIES.index) if known else "none"


def _candidates(hypothesis: Hypothesis, alerts: Sequence[Alert], playbook: Playbook) -> dict[str, str]:
    """Return names of actions, best first, each with whose candidate it is."""
    found: dict[str, str] = {}
    # Without a convincing cause nothing was observed that an action could be about.
    if hypothesis.score >= CONVINCING and hypothesis.cause is not CauseClass.UNKNOWN:
        candidates = playbook.candidates(hypothesis)
        found = dict.fromkeys(candidates.actions, candidates.play)
        for alert in alerts:
            for annotation in sc.ACTION_ANNOTATIONS:
                found.setdefault(alert.annotations.get(annotation, ""), f"the alert's {annotation}")
    return found | {NOTIFY: found.get(NOTIFY, "people are told when nothing else can be done")}
