"""Which agents fail, in which way, where, and on which provider: what several detectors begin with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from awf.analysis.detectors._shares import Shift, failed_shift, values
from awf.analysis.findings import Picture, confidence
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incidents import Target
from awf.core.ports import LogLine

DOMINANT = 0.6
LOG_MARGIN_S = 10.0

# How AWF tells a failure: "agent A failed in 80 ms for step S of workflow W: the message (error_type), attempt 1".
_TOLD = re.compile(r"^[^:]*: (.*?)(?: \([\w.-]*\))?(?:, attempt \d+)?$")


@dataclass(frozen=True, slots=True)
class Failing:
    """One failing agent: how much, in which way, where, and on which provider."""

    agent_id: str
    shift: Shift
    kinds: Counter[str]
    places: tuple[Target, ...]  # most failures first
    provider: str
    lines: tuple[LogLine, ...]  # newest first

    @property
    def kind(self) -> str:
        """The error type that most failures have, empty when there is none or the logs are silent."""
        return dominant(self.kinds)

    @property
    def example(self) -> str:
        return plain_text(self.lines[0].line, 300) if self.lines else ""

    @property
    def strength(self) -> float:
        known = 1.0 if self.kind else 0.75  # without its error type a cause is half a guess
        still = 1.0 if self.shift.failed_lately else 0.5
        return (0.6 + 0.4 * self.shift.share) * confidence(self.shift.count) * known * still


@dataclass(frozen=True, slots=True)
class Health:
    """The agents that fail, those that were at work and did not, and those of which too few calls are seen to tell."""

    failing: tuple[Failing, ...]
    healthy: frozenset[str]
    suspects: frozenset[str]
    providers: dict[str, str]  # where each agent spends money

    def healthy_at(self, provider: str) -> list[str]:
        return self._at(provider, self.healthy)

    def suspects_at(self, provider: str) -> list[str]:
        return self._at(provider, self.suspects)

    def _at(self, provider: str, agents: Iterable[str]) -> list[str]:
        return sorted(agent for agent in agents if self.providers.get(agent) == provider)


def health_of(picture: Picture) -> Health:
    """Return how each agent does."""
    invocations = picture.rises(sc.AGENT_INVOCATIONS)
    providers = {
        each.labels[sc.AGENT_ID]: each.labels[sc.PROVIDER]
        for each in picture.rises(sc.COST)
        if each.labels.get(sc.AGENT_ID) and each.labels.get(sc.PROVIDER)
    }
    failing, healthy, suspects = [], set(), set()
    for agent_id in values(invocations, sc.AGENT_ID):
        shift = failed_shift(invocations, picture, sc.AGENT_ID, agent_id)
        if shift.is_bad:
            failing.append(_describe(agent_id, shift, picture, providers.get(agent_id, "")))
        elif shift.count - shift.failed >= 3 and shift.share < 0.1:
            healthy.add(agent_id)
        elif shift.failed and shift.share >= 0.5:
            suspects.add(agent_id)
    return Health(tuple(failing), frozenset(healthy), frozenset(suspects), providers)


def dominant(kinds: Counter[str]) -> str:
    """Return what most of them are; empty when nothing is."""
    if not kinds:
        return ""
    name, count = kinds.most_common(1)[0]
    return name if count >= DOMINANT * kinds.total() else ""


def message_of(line: LogLine) -> str:
    """Return what a failure said, without who failed where."""
    told = _TOLD.match(line.line)
    return told[1] if told else line.line


def places_of(lines: Sequence[LogLine], agent_id: str) -> tuple[Target, ...]:
    """Return the steps that lines name, those with most lines first."""
    seen = Counter(
        (line.labels[sc.WORKFLOW_ID], line.labels[sc.STEP_ID])
        for line in lines
        if line.labels.get(sc.WORKFLOW_ID) and line.labels.get(sc.STEP_ID)
    )
    return tuple(
        Target(workflow_id=workflow, step_id=step, agent_id=agent_id)
        for (workflow, step), _ in seen.most_common()
    )


def _describe(agent_id: str, shift: Shift, picture: Picture, provider: str) -> Failing:
    lines = tuple(
        line
        for line in picture.failures
        if line.labels.get(sc.AGENT_ID) == agent_id and line.at.timestamp() >= shift.since - LOG_MARGIN_S
    )
    named = Counter(line.labels[sc.PROVIDER] for line in lines if line.labels.get(sc.PROVIDER))
    return Failing(
        agent_id=agent_id,
        shift=shift,
        kinds=Counter(line.labels[sc.ERROR_TYPE] for line in lines if line.labels.get(sc.ERROR_TYPE)),
        places=places_of(lines, agent_id),
        provider=named.most_common(1)[0][0] if named else provider,
        lines=lines,
    )
