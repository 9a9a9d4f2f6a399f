"""How single steps fail: who tried, in how many executions, and whether trying again, or another agent, ever helped."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from awf.analysis.detectors._failing import DOMINANT, LOG_MARGIN_S, dominant, message_of
from awf.analysis.detectors._shares import LEAST_FAILED, Shift, shift_of
from awf.analysis.findings import Picture
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incidents import Target
from awf.core.increase import total
from awf.core.ports import LogLine

COUNT = f"{sc.STEP_DURATION}_count"
STEP_FAILED = "workflow.step.failed"
MOST, HALF, OFTEN = 0.8, 0.5, 0.4

_SEGMENTS = re.compile(r"[\w-]+")
_HEAD_CHARS = 120  # what failed stands at the beginning of a message


@dataclass(frozen=True, slots=True)
class StepFailures:
    """One step that fails for good more often than it did."""

    workflow_id: str
    step_id: str
    shift: Shift  # of the step as a whole, its fallback included
    kinds: Counter[str]
    agents: tuple[str, ...]  # most failures first
    executions: int  # in which an attempt failed
    repeated: int  # of those, in which more than one attempt is known
    by_several: int  # in which more than one agent failed
    lost: int  # in which the step failed for good
    fallbacks: float  # how often the fallback agent was called, as metrics have it
    named: Counter[str]  # other steps of the workflow that the errors name
    example: str

    @property
    def kind(self) -> str:
        return dominant(self.kinds)

    @property
    def is_stubborn(self) -> bool:
        """Whether an execution that failed once failed each time, though most others went well meanwhile.

        What most executions fail at has changed itself: it is rare that most of the input changes at once.
        """
        enough = self.repeated >= LEAST_FAILED
        return enough and self.lost >= MOST * self.executions and self.shift.share <= HALF

    @property
    def is_anybodys(self) -> bool:
        """Whether a second agent failed at what the first had failed at; without logs, by counts alone."""
        if self.executions:
            tried = min(self.executions, self.fallbacks) if self.fallbacks else self.executions
            return self.by_several >= max(2.0, OFTEN * tried)
        return self.shift.failed >= max(LEAST_FAILED, DOMINANT * self.fallbacks) and self.fallbacks >= 2

    @property
    def named_step(self) -> str:
        """The step before whose output most errors name."""
        if not self.named:
            return ""
        name, count = self.named.most_common(1)[0]
        return name if count >= DOMINANT * self.kinds.total() else ""

    @property
    def places(self) -> tuple[Target, ...]:
        step = Target(self.workflow_id, self.step_id)
        return tuple(Target(self.workflow_id, self.step_id, agent) for agent in self.agents) or (step,)


def failing_steps(picture: Picture) -> list[StepFailures]:
    """Return the steps whose failed share rose by a tenth, with at least three failures."""
    counted = picture.rises(COUNT)
    keys = {(each.labels.get(sc.WORKFLOW_ID, ""), each.labels.get(sc.STEP_ID, "")) for each in counted}
    found = []
    for workflow_id, step_id in sorted(keys):
        here = {sc.WORKFLOW_ID: workflow_id, sc.STEP_ID: step_id}
        shift = shift_of([each for each in counted if here.items() <= each.labels.items()], picture, counted)
        if step_id and shift.failed >= LEAST_FAILED and shift.share >= shift.share_before + 0.1:
            siblings = frozenset(step for workflow, step in keys if workflow == workflow_id) - {step_id}
            found.append(_describe(here, shift, picture, siblings))
    return found


def _describe(
    here: Mapping[str, str], shift: Shift, picture: Picture, siblings: frozenset[str]
) -> StepFailures:
    since = shift.since - LOG_MARGIN_S
    ended = [line for line in picture.errors if line.labels.get(sc.EVENT_TYPE) == STEP_FAILED]
    tries, lost = _by_execution(picture.failures, here, since), _by_execution(ended, here, since)
    lines = [line for found in tries.values() for line in found]
    agents = Counter(line.labels.get(sc.AGENT_ID, "") for line in lines) or _workers(here, picture)
    return StepFailures(
        workflow_id=here[sc.WORKFLOW_ID],
        step_id=here[sc.STEP_ID],
        shift=shift,
        kinds=Counter(line.labels[sc.ERROR_TYPE] for line in lines if line.labels.get(sc.ERROR_TYPE)),
        agents=tuple(name for name, _ in agents.most_common() if name),
        executions=len(tries),
        repeated=sum(len(found) > 1 for found in tries.values()),
        by_several=sum(len({line.labels.get(sc.AGENT_ID) for line in found}) > 1 for found in tries.values()),
        lost=len(tries.keys() & lost.keys()),
        fallbacks=total(
            picture.rises(sc.FALLBACKS), shift.since, picture.end.timestamp(), {sc.STEP_ID: here[sc.STEP_ID]}
        ),
        named=Counter(step for line in lines for step in _segments(line) & siblings),
        example=plain_text(lines[0].line, 300) if lines else "",
    )


def _workers(here: Mapping[str, str], picture: Picture) -> Counter[str]:
    """Return the agents that metrics saw at a step."""
    seen: Counter[str] = Counter()
    for each in picture.rises(COUNT):
        if here.items() <= each.labels.items():
            seen[each.labels.get(sc.AGENT_ID, "")] += 1
    return seen


def _segments(line: LogLine) -> set[str]:
    return set(_SEGMENTS.findall(message_of(line)[:_HEAD_CHARS]))


def _by_execution(
    lines: Sequence[LogLine], here: Mapping[str, str], since: float
) -> Mapping[str, list[LogLine]]:
    found: dict[str, list[LogLine]] = defaultdict(list)
    for line in lines:
        execution_id = line.labels.get(sc.EXECUTION_ID, "")
        if execution_id and line.at.timestamp() >= since and here.items() <= line.labels.items():
            found[execution_id].append(line)
    return found
