"""The event that everything else is made of, and its closed list of types."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, WorkflowId


class EventType(StrEnum):
    WORKFLOW_STARTED = "workflow.started"
    WORKFLOW_COMPLETED = "workflow.completed"
    WORKFLOW_FAILED = "workflow.failed"
    WORKFLOW_CANCELLED = "workflow.cancelled"
    STEP_STARTED = "workflow.step.started"
    STEP_COMPLETED = "workflow.step.completed"
    STEP_FAILED = "workflow.step.failed"
    STEP_RETRYING = "workflow.step.retrying"
    STEP_FALLBACK = "workflow.step.fallback"
    STEP_SKIPPED = "workflow.step.skipped"
    AGENT_INVOKED = "agent.invoked"
    AGENT_COMPLETED = "agent.completed"
    AGENT_FAILED = "agent.failed"


@dataclass(frozen=True, slots=True)
class WorkflowEvent:
    """Something that happened in an execution. `time_ns` is nanoseconds since the epoch.

    `attempt` starts at 1 and counts invocations of one step, whichever agent runs it. `data` holds
    what is particular to a type: the provider and model of an invocation, the delay before a retry,
    the agent a fallback stands in for.
    """

    type: EventType
    workflow_id: WorkflowId
    execution_id: ExecutionId
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    time_ns: int = field(default_factory=time.time_ns)
    step_id: StepId | None = None
    agent_id: AgentId | None = None
    framework: str = ""
    attempt: int = 0
    metrics: TaskMetrics | None = None
    error_type: str = ""
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
