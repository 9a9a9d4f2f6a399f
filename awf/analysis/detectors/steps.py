"""Steps that take much longer than they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from awf.analysis.change import ratio
from awf.analysis.detectors._failing import health_of
from awf.analysis.detectors._shares import LATELY_S, rise_begins
from awf.analysis.findings import Finding, Picture, clock_time, confidence
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence, Target
from awf.core.increase import Rises, total

COUNT, SUM = f"{sc.STEP_DURATION}_count", f"{sc.STEP_DURATION}_sum"
LEAST_RATIO, LEAST_RISE_MS = 2.0, 500.0
VERY_SLOW_MS = 10_000.0
LEAST_RUNS = 2
MANY_TIMES = 4.0
"""So many times as long is told from chance by fewer runs."""


def slow_steps(picture: Picture) -> list[Finding]:
    """Return a finding for each agent with a step whose mean duration at least doubled and rose by half a second.

    Agents of one provider that slow down together are one finding, at that provider.
    """
    keys = {
        (each.labels.get(sc.WORKFLOW_ID, ""), each.labels.get(sc.STEP_ID, ""))
        for each in picture.rises(COUNT)
    }
    failing = frozenset(each.agent_id for each in health_of(picture).failing)
    found = [_judge(picture, workflow, step, failing) for workflow, step in sorted(keys) if workflow and step]
    providers = {
        each.labels.get(sc.AGENT_ID, ""): each.labels.get(sc.PROVIDER, "") for each in picture.rises(sc.COST)
    }
    groups: dict[str, list[Finding]] = {}
    for finding in found:
        if finding is not None:
            agent_id = finding.target.agent_id
            groups.setdefault(providers.get(agent_id) or agent_id or str(finding.target), []).append(finding)
    return [_merged(group, providers.get(group[0].target.agent_id, "")) for group in groups.values()]


def hanging_agents(picture: Picture) -> frozenset[str]:
    """Return the agents with a step that takes as long as a timeout: how they fail, where no log says it."""
    return frozenset(
        place.agent_id
        for finding in slow_steps(picture)
        for place, seen in zip(finding.affected, finding.evidence, strict=True)
        if seen.value is not None and seen.value >= VERY_SLOW_MS
    )


def _merged(group: Sequence[Finding], provider: str) -> Finding:
    """Return the strongest finding with the places and the evidence of all."""
    ordered = sorted(group, key=lambda each: -each.strength)
    agents = {each.target.agent_id for each in ordered}
    first = ordered[0]
    return replace(
        first,
        target=replace(first.target, provider=provider) if len(agents) > 1 else first.target,
        summary=first.summary
        if len(agents) == 1
        else f"Agents {', '.join(sorted(agents))} at provider {provider} are slow: {first.summary}",
        evidence=tuple(item for each in ordered for item in each.evidence),
        affected=tuple(place for each in ordered for place in each.affected),
        since=min((each.since for each in ordered if each.since), default=None),
    )


def _judge(picture: Picture, workflow_id: str, step_id: str, failing: frozenset[str]) -> Finding | None:
    labels = {sc.WORKFLOW_ID: workflow_id, sc.STEP_ID: step_id}
    spent = [each for each in picture.rises(SUM) if labels.items() <= each.labels.items()]
    since = rise_begins(spent, picture)
    first, last = picture.start.timestamp() - 1, picture.end.timestamp()
    count = total(picture.rises(COUNT), since, last, labels)
    mean_ms = total(picture.rises(SUM), since, last, labels) / max(1.0, count)
    count_before = total(picture.rises(COUNT), first, since, labels)
    before_ms = total(picture.rises(SUM), first, since, labels) / max(1.0, count_before)
    times = ratio(before_ms, mean_ms)
    has_slowed = (
        times >= LEAST_RATIO and mean_ms - before_ms >= LEAST_RISE_MS
        if count_before
        else mean_ms >= VERY_SLOW_MS
    )
    lately = max(since, last - LATELY_S)
    lately_count = total(picture.rises(COUNT), lately, last, labels)
    lately_ms = total(picture.rises(SUM), lately, last, labels) / max(1.0, lately_count)
    is_over = lately_count >= 3 and lately_ms < (mean_ms + before_ms) / 2
    # Without runs before, as long as a timeout is as good as many times as long.
    is_clear = not count_before or times >= MANY_TIMES
    strength = 0.8 * confidence(count, half=1.0 if is_clear else 3.0)
    if count < (LEAST_RUNS if is_clear else 2 * LEAST_RUNS) or not has_slowed or is_over:
        return None
    # Retries and a fallback's turn make a step slower too: only as long as a timeout is it the failing agent's slowness.
    hung = failing if mean_ms >= VERY_SLOW_MS else frozenset()
    target = Target(workflow_id, step_id, _slow_agent(spent, picture, since, hung))
    was = f"{before_ms:.0f} ms over {count_before:.0f}" if count_before else "not seen"
    statement = (
        f"step {step_id} of {workflow_id}: {mean_ms:.0f} ms on average over {count:.0f} runs since "
        f"{clock_time(since)}, {was} before"
    )
    query = picture.queries.get(SUM, "")
    return Finding(
        cause=CauseClass.AGENT_LATENCY,
        target=target,
        strength=strength,
        summary=f"Step {step_id} of {workflow_id} takes {mean_ms:.0f} ms, {before_ms:.0f} ms before",
        evidence=(Evidence("metrics", statement, query, picture.start, picture.end, mean_ms, before_ms),),
        affected=(target,),
        since=datetime.fromtimestamp(since, UTC),
    )


def _slow_agent(spent: Sequence[Rises], picture: Picture, since: float, hung: frozenset[str]) -> str:
    """Return who the time of a step goes to: whoever did it and hangs now, or else whoever does it now.

    A step counts under the agent that completed it, so a fallback's count holds the time that the agent before it hung.
    """
    usual = max(spent, key=lambda each: each.total(picture.start.timestamp() - 1, since))
    slowest = max(spent, key=lambda each: each.total(since, picture.end.timestamp()))
    names = [each.labels.get(sc.AGENT_ID, "") for each in (usual, slowest)]
    return names[0] if names[0] in hung else names[1]
