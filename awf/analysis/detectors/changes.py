"""Changes behind what other detectors found: trouble that began minutes after something was changed at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from awf.analysis.findings import Change, Finding, Picture, clock_time
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence

WITHIN = timedelta(minutes=5)
INEXACT = timedelta(seconds=20)  # counters are read every few seconds, so an onset may be dated early
WORKERS = "workers"
"""The word by which a change is about how many executions run at once."""


def changes_behind(picture: Picture, findings: Sequence[Finding]) -> list[Finding]:
    """Return a finding for each change that another finding followed, the best supported one of each.

    A change that names the place counts a little more than what followed it, one that names no place less. One that
    names another place is none.
    """
    names = frozenset(name for finding in findings for name in _names(finding))
    found = [_best(change, findings, names, picture) for change in picture.changes]
    return [finding for finding in found if finding is not None]


def _best(
    change: Change, findings: Sequence[Finding], names: frozenset[str], picture: Picture
) -> Finding | None:
    everywhere = _every_name(picture) | names
    followed = [
        _after(change, finding, picture, is_named=bool(change.words & set(_names(finding))))
        for finding in findings
        if finding.since is not None
        and finding.cause is not CauseClass.TELEMETRY_GAP
        and change.at <= finding.since + INEXACT
        and finding.since <= change.at + WITHIN
        and (change.words & set(_names(finding)) or not change.words & everywhere)
    ]
    return max(followed, key=lambda each: each.strength, default=None)


def _after(change: Change, finding: Finding, picture: Picture, *, is_named: bool) -> Finding:
    since = finding.since or picture.alert_start
    later = max(0.0, (since - change.at).total_seconds())
    statement = f"{later:.0f} s before, at {clock_time(change.at)}: {change.text}"
    said = Evidence(change.source, statement, "", change.at - WITHIN, picture.end)
    return replace(
        finding,
        cause=CauseClass.CONFIG_CHANGE,
        strength=min(0.97, 1.05 * finding.strength) if is_named else 0.75 * finding.strength,
        summary=f"{finding.summary}, {later:.0f} s after a change: {change.text}",
        evidence=(said, *finding.evidence),
        against=finding.against
        if is_named
        else (*finding.against, "the change names no place: it may be chance"),
    )


def _names(finding: Finding) -> Iterator[str]:
    """Return the names by which a change can be about what was found. Plain words such as `review` name no step."""
    for place in (finding.target, *finding.affected):
        step = place.step_id if any(mark in place.step_id for mark in "-_.") else ""
        yield from filter(None, (place.workflow_id, step, place.agent_id, place.provider))
    if finding.cause is CauseClass.WORKER_SATURATION:
        yield WORKERS


def _every_name(picture: Picture) -> frozenset[str]:
    """Return the names of everything that was seen at work: a change with one of them is about that place."""
    return frozenset(
        each.labels.get(label, "")
        for rises in picture.counters.values()
        for each in rises
        for label in (sc.WORKFLOW_ID, sc.AGENT_ID, sc.PROVIDER)
    )
