"""What the telemetry around an alert looks like, and what a detector finds in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from awf.core.incidents import CauseClass, Evidence, Target
from awf.core.increase import Rises
from awf.core.ports import LogLine, Series

ALERT_LAG_S = 90.0  # an alert starts this long after its cause at most: its range, `for` and evaluation


@dataclass(frozen=True, slots=True)
class Change:
    """Something that people or programs changed: a deployment that Grafana was told of, an order to engines.

    `words` are the names in it that may be those of agents, steps, workflows or providers.
    """

    at: datetime
    text: str
    words: frozenset[str]
    source: str  # annotations | controls


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that was fetched for one investigation, in [start, end]. `queries` says what was asked for
    each field; a signal that could not be fetched is in `missing` and its field is empty."""

    start: datetime
    end: datetime
    alert_start: datetime
    counters: Mapping[str, Sequence[Rises]] = field(default_factory=dict)
    gauges: Mapping[str, Sequence[Series]] = field(default_factory=dict)
    failures: Sequence[LogLine] = ()  # failed invocations, newest first
    errors: Sequence[LogLine] = ()  # failed steps and workflows, newest first
    changes: Sequence[Change] = ()  # in time order; they may lie before `start`
    last_report: float | None = None  # when engines last reported their counters, in unix seconds
    queries: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()

    def rises(self, name: str) -> Sequence[Rises]:
        return self.counters.get(name, ())


@dataclass(frozen=True, slots=True)
class Finding:
    """A possible cause as one detector sees it. `strength` is 0..1 and knows nothing of other findings."""

    cause: CauseClass
    target: Target
    strength: float
    summary: str
    evidence: tuple[Evidence, ...] = ()
    against: tuple[str, ...] = ()
    affected: tuple[Target, ...] = ()
    shows_at: tuple[Target, ...] = ()  # where its consequences are seen, when that is elsewhere
    since: datetime | None = None
    # Of a full queue: more comes in than before and the workers do what they did, so slow agents do not explain it.
    is_overload: bool = False

    def touches(self, other: Finding) -> bool:
        """Whether both are seen in one place: the same agent, or the same step of a workflow."""
        mine, theirs = (self.target, *self.affected), (other.target, *other.affected)
        return any(is_same_place(a, b) for a in mine for b in theirs)


def is_same_place(one: Target, other: Target) -> bool:
    """Whether two targets share their agent, or a step; some metrics know steps by their names alone."""
    if one.agent_id and one.agent_id == other.agent_id:
        return True
    workflows = {one.workflow_id, other.workflow_id} - {""}
    return bool(one.step_id) and one.step_id == other.step_id and len(workflows) <= 1


def clock_time(moment: datetime | float) -> str:
    """Return a time of day in words of ours: `12:03:10 UTC`."""
    found = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return found.strftime("%H:%M:%S UTC")


def confidence(count: float, *, half: float = 3.0) -> float:
    """Return how much a share over `count` cases is worth: 0.5 at `half` cases, towards 1 with more."""
    return count / (count + half)
