"""Which finding is the cause: findings against each other, and against what the alert was about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from awf.analysis.findings import Finding, is_same_place
from awf.analysis.onsets import in_order
from awf.core.incidents import CauseClass, Hypothesis, Target

EXPLAINED, OFF_TOPIC, UNRELATED = 0.45, 0.75, 0.4
MOST = 10

_OUTSIDE = frozenset({CauseClass.RATE_LIMIT, CauseClass.PROVIDER_OUTAGE, CauseClass.DEPENDENCY})
_FAILURES = _OUTSIDE | {CauseClass.AGENT_ERROR, CauseClass.AGENT_LATENCY, CauseClass.BAD_INPUT}

# What a cause does elsewhere: the first is no longer the cause where the second is found as well.
_EXPLAINED_BY: dict[CauseClass, frozenset[CauseClass]] = {
    CauseClass.AGENT_ERROR: _OUTSIDE | {CauseClass.BAD_INPUT},
    CauseClass.AGENT_LATENCY: _FAILURES,
    CauseClass.PROVIDER_OUTAGE: frozenset({CauseClass.DEPENDENCY}),
    CauseClass.BAD_INPUT: _OUTSIDE | {CauseClass.AGENT_ERROR},
    CauseClass.WORKFLOW_FAILURE: _FAILURES,
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

    def fit(self, found: Finding | Hypothesis) -> bool:
        """Whether something is what the alert is about."""
        if found.cause in self.causes and not self.targets:
            return True
        places = (found.target, *found.affected, *found.shows_at)
        return any(_is_about(hint, place) for hint in self.targets for place in places)

    @property
    def is_empty(self) -> bool:
        return not self.causes and not self.targets


def rank(findings: Sequence[Finding], hints: Hints) -> tuple[Hypothesis, ...]:
    """Return hypotheses, most likely first, scores in 0..1 with what speaks against each."""
    weighed = [_weigh(finding, findings, hints) for finding in findings]
    ordered = in_order(sorted(weighed, key=lambda each: (-each.strength, each.cause.value, str(each.target))))
    return tuple(
        Hypothesis(
            cause=each.cause,
            target=each.target,
            score=round(max(0.0, min(0.99, each.strength)), 3),
            summary=each.summary,
            evidence=each.evidence,
            against=each.against,
            affected=each.affected,
            shows_at=each.shows_at,
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
    if other.cause is CauseClass.CONFIG_CHANGE and finding.cause is not CauseClass.CONFIG_CHANGE:
        # Another view of the same finding, if the change is about its place.
        return set(finding.evidence) <= set(other.evidence) and other.strength >= finding.strength
    if other.cause is CauseClass.WORKFLOW_FAILURE:
        return _is_of_the_step(other, finding)
    if other.cause not in _EXPLAINED_BY.get(finding.cause, frozenset()):
        return False
    if finding.cause is CauseClass.WORKER_SATURATION:
        return not finding.is_overload
    if finding.cause is CauseClass.WORKFLOW_FAILURE:
        if finding.target.step_id:  # whoever does it: so it is no single agent's fault
            return other.cause in _OUTSIDE and finding.touches(other)
        return any(place.workflow_id == finding.target.workflow_id for place in other.affected)
    if finding.cause is CauseClass.BAD_INPUT and other.cause is CauseClass.AGENT_ERROR:
        # That an agent fails on bad input is no cause of it; that an agent hands bad input on is.
        return any(is_same_place(mine, theirs) for mine in other.shows_at for theirs in finding.affected)
    # Of two findings in one place the one that knows more explains the other.
    knows_more = other.cause in (CauseClass.BAD_INPUT, CauseClass.DEPENDENCY) and other.strength >= 0.5
    return finding.touches(other) and (knows_more or other.strength > finding.strength)


def _is_of_the_step(broken: Finding, finding: Finding) -> bool:
    """Whether a step that fails whoever does it explains this: its workflow's failures, or an agent that fails only there."""
    if not broken.target.step_id:
        return False
    if finding.cause is CauseClass.WORKFLOW_FAILURE:
        return not finding.target.step_id and finding.target.workflow_id == broken.target.workflow_id
    agents = {place.agent_id for place in broken.affected}
    return finding.cause is CauseClass.AGENT_ERROR and all(
        place in broken.affected or (not place.step_id and place.agent_id in agents)
        for place in finding.affected
    )


def _is_about(hint: Target, place: Target) -> bool:
    if is_same_place(hint, place):
        return True
    if hint.provider and hint.provider == place.provider:
        return True
    is_workflow = bool(hint.workflow_id) and not hint.step_id and not hint.agent_id
    return is_workflow and hint.workflow_id == place.workflow_id
