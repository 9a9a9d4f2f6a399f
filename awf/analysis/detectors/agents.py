"""Agents whose invocations fail, and whether it is the agent, its speed, or the provider behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from awf.analysis.detectors._failing import Failing, health_of
from awf.analysis.detectors.steps import hanging_agents
from awf.analysis.findings import Finding, Picture, clock_time
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence, Target

TIMEOUT, RATE_LIMIT = "timeout", "rate_limit"


def failing_agents(picture: Picture) -> list[Finding]:
    """Return one finding for each failing agent, or one for all agents of a provider that fail together."""
    health = health_of(picture)
    found = list(health.failing)
    findings = []
    for provider in sorted({each.provider for each in found if each.provider}):
        group = [each for each in found if each.provider == provider]
        well = health.healthy_at(provider)
        limited = [each for each in group if each.kind == RATE_LIMIT]
        if limited:
            findings.append(_of_provider(CauseClass.RATE_LIMIT, provider, limited, well, picture))
            found = [each for each in found if each not in limited]
        elif len(group) + len(health.suspects_at(provider)) >= 2 and not well:
            findings.append(_of_provider(CauseClass.PROVIDER_OUTAGE, provider, group, well, picture))
            found = [each for each in found if each not in group]
    hanging = hanging_agents(picture) if any(not each.kinds for each in found) else frozenset()
    return findings + [
        _of_agent(each, picture, TIMEOUT if not each.kinds and each.agent_id in hanging else each.kind)
        for each in found
    ]


def _of_agent(failing: Failing, picture: Picture, kind: str) -> Finding:
    is_slow = kind == TIMEOUT
    cause = {TIMEOUT: CauseClass.AGENT_LATENCY, RATE_LIMIT: CauseClass.RATE_LIMIT}.get(
        kind, CauseClass.AGENT_ERROR
    )
    place = failing.places[0] if failing.places else Target()
    target = Target(place.workflow_id, place.step_id, failing.agent_id, provider=failing.provider)
    what = "runs into its timeout in" if is_slow else "fails"
    how = f" ({failing.kind})" if failing.kind and not is_slow else ""
    return Finding(
        cause=cause,
        target=target,
        strength=failing.strength,
        summary=f"Agent {failing.agent_id} {what} {failing.shift.share:.0%} of its invocations{how}",
        evidence=_evidence(failing, picture),
        against=_doubts(failing),
        affected=failing.places or (target,),
        since=_moment(failing.shift.since),
    )


def _of_provider(
    cause: CauseClass, provider: str, group: Sequence[Failing], well: Sequence[str], picture: Picture
) -> Finding:
    worst = max(group, key=lambda each: each.shift.failed)
    names = ", ".join(sorted(each.agent_id for each in group))
    what = "limits the rate of" if cause is CauseClass.RATE_LIMIT else "fails"
    place = worst.places[0] if worst.places else Target()
    doubts = [doubt for each in group for doubt in _doubts(each)]
    if well:
        doubts.append(f"{', '.join(well[:3])} at the same provider still work")
    weight = 0.8 if well else 1.0
    return Finding(
        cause=cause,
        target=Target(place.workflow_id, place.step_id, worst.agent_id, provider=provider),
        strength=weight * max(each.strength for each in group),
        summary=f"Provider {provider} {what} {'agents' if len(group) > 1 else 'agent'} {names}",
        evidence=tuple(item for each in group for item in _evidence(each, picture)),
        against=tuple(doubts),
        affected=tuple(
            place
            for each in sorted(group, key=lambda each: -each.shift.failed)
            for place in each.places or (Target(agent_id=each.agent_id),)
        ),
        since=_moment(min(each.shift.since for each in group)),
    )


def _evidence(failing: Failing, picture: Picture) -> tuple[Evidence, ...]:
    shift = failing.shift
    statement = (
        f"agent {failing.agent_id}: {shift.share:.0%} of {shift.count:.0f} invocations failed since "
        f"{clock_time(shift.since)}, {shift.share_before:.0%} of {shift.count_before:.0f} before"
    )
    found = [
        Evidence(
            "metrics", statement, picture.queries.get(sc.AGENT_INVOCATIONS, ""), picture.start, picture.end,
            value=shift.share, baseline=shift.share_before,
        )
    ]  # fmt: skip
    if failing.kinds:
        kinds = ", ".join(f"{count} {name}" for name, count in failing.kinds.most_common(3))
        said = f"agent {failing.agent_id}: its newest failures are {kinds}; for example: {failing.example}"
        found.append(Evidence("logs", said, picture.queries.get("failures", ""), picture.start, picture.end))
    return tuple(found)


def _doubts(failing: Failing) -> tuple[str, ...]:
    doubts = []
    if not failing.kinds:
        doubts.append(f"no log line says how agent {failing.agent_id} fails")
    elif not failing.kind:
        doubts.append(f"agent {failing.agent_id} fails in several ways, none of them most of the time")
    if not failing.shift.failed_lately:
        doubts.append(f"agent {failing.agent_id} has not failed in the last minute")
    return tuple(doubts)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
