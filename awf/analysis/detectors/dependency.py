"""Something that several agents need and none of them is: their failures name the same thing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from awf.analysis.detectors._failing import DOMINANT, Failing, health_of, message_of
from awf.analysis.detectors._shares import values
from awf.analysis.detectors.step_failures import COUNT
from awf.analysis.findings import Finding, Picture, clock_time
from awf.analysis.log_patterns import mask
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incidents import CauseClass, Evidence, Target

TOGETHER_S = 30.0
"""Agents that lose one thing begin to fail within this time."""

# A name rather than a word: it has a separator inside, as in customers-db, vector-store:6333 or api.example.com/v2.
_NAME = re.compile(r"[A-Za-z0-9]+(?:[.:/_-]+[A-Za-z0-9]+)+")
_PART = re.compile(r"[.:/]+")
_PORT = re.compile(r":\d+$")
# What failed stands at the beginning; behind it messages quote what they were given, which anybody may have written.
HEAD_CHARS = 120
LEAST_ALIKE = 3
"""So many agents that fail in the same words need no name in them."""


def shared_dependencies(picture: Picture) -> list[Finding]:
    """Return a finding for each thing that the failures of agents on different providers name in common."""
    health = health_of(picture)
    known = _known_names(picture)
    steps = frozenset(values(picture.rises(COUNT), sc.STEP_ID))
    named = {each.agent_id: _things(each, known, steps) for each in health.failing}
    findings = []
    for thing in sorted({thing for things in named.values() for thing in things}):
        group = [each for each in health.failing if thing in named[each.agent_id]]
        if _is_spread(group):
            findings.append(_finding(thing, group, picture))
    covered = {place.agent_id for finding in findings for place in finding.affected}
    rest = [each for each in health.failing if each.agent_id not in covered]
    return _strongest(findings) + [
        _finding(f"({pattern})", group, picture) for pattern, group in _alike(rest) if _is_spread(group)
    ]


def _is_spread(group: Sequence[Failing]) -> bool:
    """Whether it is more than one agent, at more than one step, they began together, and no one provider explains them."""
    steps = {(place.workflow_id, place.step_id) for each in group for place in each.places}
    if len(group) < 2 or len(steps) < 2:
        return False
    began = [each.shift.since for each in group]
    providers = {each.provider or each.agent_id for each in group}  # one without a provider stands for itself
    return len(providers) >= 2 and max(began) - min(began) <= TOGETHER_S


def _things(failing: Failing, known: frozenset[str], steps: frozenset[str]) -> frozenset[str]:
    """Return what most failures of an agent name."""
    counts = Counter(thing for line in failing.lines for thing in set(_names(message_of(line), known, steps)))
    least = max(2.0, DOMINANT * len(failing.lines))
    return frozenset(thing for thing, count in counts.items() if count >= least)


def _names(message: str, known: frozenset[str], steps: frozenset[str]) -> Iterable[str]:
    for found in _NAME.findall(message[:HEAD_CHARS]):
        name = _PORT.sub("", found)
        is_a_step = not steps.isdisjoint(_PART.split(name))  # outputs.draft.text: what a step before made
        if name not in known and not is_a_step and not name.replace(".", "").isdecimal():
            yield plain_text(name, 100)


def _alike(failing: Sequence[Failing]) -> list[tuple[str, list[Failing]]]:
    """Return agents that fail in the same words, where they are so many that it is no chance."""
    groups: dict[str, list[Failing]] = {}
    for each in failing:
        patterns = Counter(mask(message_of(line)) for line in each.lines)
        if patterns and patterns.most_common(1)[0][1] >= DOMINANT * patterns.total():
            groups.setdefault(plain_text(patterns.most_common(1)[0][0], 200), []).append(each)
    return [(pattern, group) for pattern, group in sorted(groups.items()) if len(group) >= LEAST_ALIKE]


def _known_names(picture: Picture) -> frozenset[str]:
    """Return the names of what runs here: a failure that names its own agent names no dependency."""
    labels = (sc.AGENT_ID, sc.STEP_ID, sc.WORKFLOW_ID, sc.PROVIDER, sc.MODEL, sc.ERROR_TYPE, sc.EXECUTION_ID)
    found = {
        each.labels.get(label, "")
        for rises in picture.counters.values()
        for each in rises
        for label in labels
    }
    found |= {line.labels.get(label, "") for line in picture.failures for label in labels}
    return frozenset(found)


def _strongest(findings: Sequence[Finding]) -> list[Finding]:
    """Keep one finding for each set of agents: a message may name the host and the path of one thing."""
    best: dict[frozenset[str], Finding] = {}
    for each in sorted(findings, key=lambda each: -len(each.affected)):
        agents = frozenset(place.agent_id for place in each.affected)
        if not any(agents <= other for other in best):
            best[agents] = each
    return list(best.values())


def _finding(thing: str, group: Sequence[Failing], picture: Picture) -> Finding:
    ordered = sorted(group, key=lambda each: -each.shift.failed)
    worst, since = ordered[0], min(each.shift.since for each in group)
    names = ", ".join(sorted(each.agent_id for each in group))
    place = worst.places[0] if worst.places else Target(agent_id=worst.agent_id)
    failed = sum(each.shift.failed for each in group)
    statement = (
        f"agents {names} fail since {clock_time(since)} ({failed:.0f} failed invocations), and what they say has "
        f"in common: {thing}; for example: {worst.example}"
    )
    query = picture.queries.get("failures", "")
    return Finding(
        cause=CauseClass.DEPENDENCY,
        target=place,
        strength=min(1.0, 1.05 * max(each.strength for each in group)),
        summary=f"Agents {names} fail on the same thing: {thing}",
        evidence=(Evidence("logs", statement, query, picture.start, picture.end, failed),),
        affected=tuple(
            place for each in ordered for place in each.places or (Target(agent_id=each.agent_id),)
        ),
        since=datetime.fromtimestamp(since, UTC),
    )
