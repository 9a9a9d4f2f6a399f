"""Executions as events, without an engine: of all kinds, and any number of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, TokenUsage, WorkflowId
from awf.orchestration import EventType, WorkflowEvent

E = EventType
METRICS = TaskMetrics(120.5, TokenUsage(900, 300), 0.004, 1)
MODEL = {"model": "m1", "provider": "p1"}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(kind: EventType, execution: str, step: str | None = None, **more: Any) -> WorkflowEvent:
    if step is not None:
        more = {
            "step_id": StepId(step),
            "agent_id": AgentId("writer"),
            "framework": "python",
            "attempt": 1,
        } | more
    return WorkflowEvent(kind, WorkflowId("report"), ExecutionId(execution), **more)


def completed(execution: str, steps: int = 2, **more: Any) -> list[WorkflowEvent]:
    """Return the events of an execution that went well: 2 + 4 * steps of them."""
    found = [event(E.WORKFLOW_STARTED, execution, **more)]
    for number in range(steps):
        step = f"s{number}"
        found += [
            event(E.STEP_STARTED, execution, step, **more),
            event(E.AGENT_INVOKED, execution, step, **more),
            event(E.AGENT_COMPLETED, execution, step, metrics=METRICS, data=MODEL, **more),
            event(E.STEP_COMPLETED, execution, step, metrics=METRICS, **more),
        ]
    return [*found, event(E.WORKFLOW_COMPLETED, execution, metrics=METRICS, **more)]


def failed(execution: str) -> list[WorkflowEvent]:
    """Return the events of an execution with a retry, a fallback, a failure and a skipped step."""
    wrong = {"error_type": "rate_limit", "error": "provider returned 429"}
    return [
        event(E.WORKFLOW_STARTED, execution, data={"restarted_from": "x0", "links": [CALLER]}),
        event(E.STEP_STARTED, execution, "s"),
        event(E.AGENT_INVOKED, execution, "s"),
        event(E.AGENT_FAILED, execution, "s", metrics=METRICS, data=MODEL, **wrong),
        event(E.STEP_RETRYING, execution, "s", data={"delay_s": 0.5}, **wrong),
        event(E.STEP_FALLBACK, execution, "s", data={"fallback_of": "writer", "reason": "forced"}, **wrong),
        event(E.AGENT_INVOKED, execution, "s", attempt=2),
        event(E.AGENT_FAILED, execution, "s", attempt=2, metrics=METRICS, **wrong),
        event(E.STEP_FAILED, execution, "s", attempt=2, metrics=METRICS, **wrong),
        event(E.STEP_SKIPPED, execution, "t", data={"missing": ["s"]}),
        event(E.WORKFLOW_FAILED, execution, metrics=METRICS, **wrong),
    ]


def cancelled(execution: str) -> list[WorkflowEvent]:
    """Return the events of an execution that was cancelled in a step whose end nobody told."""
    return [
        event(E.WORKFLOW_STARTED, execution, traceparent=CALLER),
        event(E.STEP_STARTED, execution, "s", traceparent=CALLER),
        event(E.AGENT_INVOKED, execution, "s", traceparent=CALLER),
        event(E.WORKFLOW_CANCELLED, execution, traceparent=CALLER),
    ]


def of_all_kinds() -> list[WorkflowEvent]:
    return [*completed("x1"), *failed("x2"), *cancelled("x3")]


def endless(prefix: str = "x") -> Iterator[WorkflowEvent]:
    """Yield the events of one execution after another."""
    number = 0
    while True:
        yield from completed(f"{prefix}{number}", steps=1)
        number += 1
