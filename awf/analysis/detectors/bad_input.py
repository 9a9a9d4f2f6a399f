"""Steps that fail whoever does them: on what they are given, on what an agent before them made, or by their own code."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

from awf.analysis.detectors.step_failures import COUNT, StepFailures, failing_steps
from awf.analysis.findings import Finding, Picture, clock_time, confidence
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence, Target

CERTAIN = 0.5

# Kinds of errors that are about what was handed over, in the words that libraries use for it.
_ABOUT_INPUT = re.compile(
    r"valid|schema|pars(?:e|ing)|malform|decod|unprocessable|bad_?request|bad_?input|type_?error|value_?error"
    r"|key_?error|missing_?field|content_?(?:filter|policy)|context_?length|too_?(?:long|large)",
    re.IGNORECASE,
)


def unusable_input(picture: Picture) -> list[Finding]:
    """Return findings for each step that fails and that neither another attempt nor another agent can do."""
    findings = []
    for step in failing_steps(picture):
        strength = _strength(step)
        if strength >= CERTAIN:
            findings.append(_bad_input(step, strength, picture))
            findings += _bad_output(step, findings[-1], picture)
        elif step.is_anybodys:
            findings.append(_broken_step(step, picture))
    return findings


def _strength(step: StepFailures) -> float:
    # Either of the last two alone may be an outage: two agents at one provider, a model that is away for a while.
    is_about_input = bool(_ABOUT_INPUT.search(step.kind))
    signs = 0.65 * is_about_input + 0.3 * step.is_stubborn + 0.3 * step.is_anybodys
    return min(0.95, signs) * confidence(step.shift.failed, half=0.5)


def _bad_input(step: StepFailures, strength: float, picture: Picture) -> Finding:
    against = []
    if not _ABOUT_INPUT.search(step.kind):
        against.append("no type of error says that the input is to blame")
    if not step.is_stubborn and not step.is_anybodys:
        against.append("nothing shows that another attempt or another agent would fail as well")
    return Finding(
        cause=CauseClass.BAD_INPUT,
        target=step.places[0],
        strength=strength,
        summary=f"{_told(step)} fails on {step.shift.share:.0%} of what it is given, whoever does it{_kind(step)}",
        evidence=_evidence(step, picture),
        against=tuple(against),
        affected=step.places,
        since=datetime.fromtimestamp(step.shift.since, UTC),
    )


def _bad_output(step: StepFailures, failing: Finding, picture: Picture) -> list[Finding]:
    """Return a finding for the agent whose output the errors name: it does not fail, what comes after it does."""
    if not step.named_step:
        return []
    agent_id = _doer(picture, step.workflow_id, step.named_step, step.shift.since)
    place = Target(step.workflow_id, step.named_step, agent_id)
    said = Evidence(
        "logs",
        f"{step.named[step.named_step]} of {step.kinds.total()} errors of step {step.step_id} name the output of "
        f"step {step.named_step}" + (f", which agent {agent_id} makes" if agent_id else ""),
        picture.queries.get("failures", ""), picture.start, picture.end,
    )  # fmt: skip
    return [
        Finding(
            cause=CauseClass.AGENT_ERROR,
            target=place,
            strength=min(0.97, failing.strength + 0.05),
            summary=f"The output of {f'agent {agent_id}' if agent_id else f'step {step.named_step}'} cannot be used: "
            f"step {step.step_id} of {step.workflow_id} fails on it",
            evidence=(said, *failing.evidence),
            affected=(place,),
            shows_at=failing.affected,
            since=failing.since,
        )
    ]


def _broken_step(step: StepFailures, picture: Picture) -> Finding:
    return Finding(
        cause=CauseClass.WORKFLOW_FAILURE,
        target=Target(step.workflow_id, step.step_id),
        strength=0.9 * confidence(step.shift.failed),
        summary=f"{_told(step)} fails in {step.shift.share:.0%} of its runs, whoever does it{_kind(step)}",
        evidence=_evidence(step, picture),
        affected=step.places,
        since=datetime.fromtimestamp(step.shift.since, UTC),
    )


def _doer(picture: Picture, workflow_id: str, step_id: str, since: float) -> str:
    """Return the agent that completed most runs of a step."""
    runs: Counter[str] = Counter()
    for each in picture.rises(COUNT):
        labels = each.labels
        is_here = (labels.get(sc.WORKFLOW_ID), labels.get(sc.STEP_ID)) == (workflow_id, step_id)
        if is_here and labels.get(sc.STATUS) == sc.COMPLETED and labels.get(sc.AGENT_ID):
            runs[labels[sc.AGENT_ID]] += round(each.total(since, picture.end.timestamp()))
    return runs.most_common(1)[0][0] if runs.total() else ""


def _evidence(step: StepFailures, picture: Picture) -> tuple[Evidence, ...]:
    shift = step.shift
    numbers = (
        f"step {step.step_id} of {step.workflow_id}: {shift.share:.0%} of {shift.count:.0f} runs failed since "
        f"{clock_time(shift.since)}, {shift.share_before:.0%} of {shift.count_before:.0f} before"
    )
    tries = (
        f"of {step.executions} executions with a failed attempt {step.lost} failed for good, and {step.by_several} "
        f"failed with more than one agent ({', '.join(step.agents[:3])}); for example: {step.example}"
    )
    return (
        Evidence(
            "metrics", numbers, picture.queries.get(COUNT, ""), picture.start, picture.end,
            shift.share, shift.share_before,
        ),
        Evidence("logs", tries, picture.queries.get("failures", ""), picture.start, picture.end),
    )  # fmt: skip


def _told(step: StepFailures) -> str:
    return f"Step {step.step_id} of {step.workflow_id}"


def _kind(step: StepFailures) -> str:
    return f" ({step.kind})" if step.kind else ""
