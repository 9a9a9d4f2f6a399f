"""Which finding is the cause: findings against each other, and against what the alert was about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from awf.analysis.findings import Finding, is_same_place
from awf.core.incidents import CauseClass, Hypothesis, Target

EXPLAINED, OFF_TOPIC, UNRELATED = 0.45, 0.75, 0.4
MOST = 10

# What a cause does elsewhere: the first is no longer the cause where the second is found as well.
_EXPLAINED_BY: dict[CauseClass, frozenset[CauseClass]] = {
    CauseClass.AGENT_ERROR: frozenset({CauseClass.RATE_LIMIT, CauseClass.PROVIDER_OUTAGE}),
    CauseClass.AGENT_LATENCY: frozenset(
        {CauseClass.RATE_LIMIT, CauseClass.PROVIDER_OUTAGE, CauseClass.AGENT_ERROR, CauseClass.AGENT_LATENCY}
    ),
    CauseClass.WORKFLOW_FAILURE: frozenset(
        {CauseClass.RATE_LIMIT, CauseClass.PROVIDER_OUTAGE, CauseClass.AGENT_ERROR, CauseClass.AGENT_LATENCY}
    ),
    CauseClass.WORKER_SATURATION: frozenset({CauseClass.AGENT_LATENCY}),
    CauseClass.TOKEN_SURGE: frozenset({CauseClass.AGENT_ERROR, CauseClass.RATE_LIMIT}),
}


@dataclass(frozen=True, slots=True)
class Hints:
    """What the alert says it is about. It came from outside: it weighs findings, it never makes one."""

    causes: frozenset[CauseClass] = frozenset()
    targets: tuple[Target, ...] = ()
    # No workflow, agent or worker makes an exporter lose events or the watcher fail: what is found there is another
    # incident's.
    is_about_us: bool = False

    def fit(self, finding: Finding) -> bool:
        if finding.cause in self.causes and not self.targets:
            return True
        places = (finding.target, *finding.affected)
        return any(_is_about(hint, place) for hint in self.targets for place in places)

    @property
    def is_empty(self) -> bool:
        return not self.causes and not self.targets


def rank(findings: Sequence[Finding], hints: Hints) -> tuple[Hypothesis, ...]:
    """Return hypotheses, most likely first, scores in 0..1 with what speaks against each."""
    weighed = [_weigh(finding, findings, hints) for finding in findings]
    ordered = sorted(weighed, key=lambda each: (-each.strength, each.cause.value, str(each.target)))
    return tuple(
        Hypothesis(
            cause=each.cause,
            target=each.target,
            score=round(max(0.0, min(0.99, each.strength)), 3),
            summary=each.summary,
            evidence=each.evidence,
            against=each.against,
            affected=each.affected,
        )
        for each in ordered[:MOST]
    )


def _weigh(finding: Finding, findings: Sequence[Finding], hints: Hints) -> Finding:
    strength, against = finding.strength, list(finding.against)
    for other in findings:
        if other is not finding and _explains(other, finding):
            strength *= EXPLAINED
            against.append(f"explained by: {other.summary}")
            break
    if hints.is_about_us and finding.cause is not CauseClass.TELEMETRY_GAP:
        strength = min(1.0, strength) * UNRELATED
        against.append("the alert is about AWF itself")
    elif not hints.is_empty and not hints.fit(finding):
        strength *= OFF_TOPIC
        against.append("it is not what the alert is about")
    return replace(finding, strength=strength, against=tuple(against))


def _explains(other: Finding, finding: Finding) -> bool:
    if other.cause not in _EXPLAINED_BY.get(finding.cause, frozenset()):
        return False
    if finding.cause is CauseClass.WORKER_SATURATION:
        return not finding.has_more_arrivals
    if finding.cause is CauseClass.WORKFLOW_FAILURE:
        return any(place.workflow_id == finding.target.workflow_id for place in other.affected)
    # Of two findings of one cause the one that knows more explains the other.
    return finding.touches(other) and other.strength > finding.strength


def _is_about(hint: Target, place: Target) -> bool:
    if is_same_place(hint, place):
        return True
    if hint.provider and hint.provider == place.provider:
        return True
    if hint.step_id and not hint.workflow_id:  # fallbacks are counted by step alone
        return hint.step_id == place.step_id
    is_workflow = bool(hint.workflow_id) and not hint.step_id and not hint.agent_id
    return is_workflow and hint.workflow_id == place.workflow_id
