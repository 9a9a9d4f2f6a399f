"""What the steps and executions that are open have come to so far."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, TokenUsage, WorkflowId
from awf.orchestration.bridges._failures import Failure


@dataclass(slots=True)
class Step:
    """A step over all its visits. `busy_ns` is the time during which at least one visit was open."""

    id: StepId
    agent_id: AgentId
    visits: int = 0
    busy_since: int = 0
    busy_ns: int = 0
    ended: int = 0
    attempts: int = 0
    failure: Failure | None = None
    failed_at: int = 0
    metrics: TaskMetrics = field(default_factory=TaskMetrics)
    tools: set[str] = field(default_factory=set)
    tool_calls: int = 0
    tool_errors: int = 0

    def enter(self, at: int) -> None:
        """Count a visit that begins."""
        self.visits += 1
        if self.visits == 1:
            self.busy_since = at

    def leave(self, failure: Failure | None, started: int, at: int) -> None:
        """Count a visit that ended. A success takes back only a failure that was there when it started."""
        self.visits -= 1
        if self.visits == 0:
            self.busy_ns += max(at - self.busy_since, 0)
        self.ended = max(self.ended, at)
        if failure is not None:
            self.failure, self.failed_at = failure, at
        elif self.failure is not None and started >= self.failed_at:
            self.failure = None


@dataclass(slots=True)
class Execution:
    """An execution and its steps. `open` are the keys of its runs in the order of their starts."""

    key: Hashable
    workflow_id: WorkflowId
    id: ExecutionId
    run: int
    traceparent: str
    started: int
    framework: str
    note: object = None
    steps: dict[str, Step] = field(default_factory=dict)
    metrics: TaskMetrics = field(default_factory=TaskMetrics)
    open: dict[Hashable, None] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """A run of the framework that is open. `kind` is execution, visit, call, tool or part."""

    kind: str
    execution: Execution
    started: int
    step: Step | None = None
    agent_id: AgentId | None = None
    attempt: int = 0
    data: dict[str, Any] = field(default_factory=dict)


def add(total: TaskMetrics, one: TaskMetrics) -> TaskMetrics:
    """Return a total with the tokens and the cost of one call added; times are not sums."""
    tokens = TokenUsage(
        total.token_usage.input_tokens + one.token_usage.input_tokens,
        total.token_usage.output_tokens + one.token_usage.output_tokens,
    )
    return replace(total, token_usage=tokens, cost_usd=total.cost_usd + one.cost_usd)


def milliseconds(started: int, ended: int) -> float:
    """Return the time between two moments in nanoseconds; a clock that was set back makes it 0."""
    return max(ended - started, 0) / 1e6
