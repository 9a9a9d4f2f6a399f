"""What an agent is, what its work cost, and how a running workflow may be changed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

WorkflowId = NewType("WorkflowId", str)
StepId = NewType("StepId", str)
AgentId = NewType("AgentId", str)
ExecutionId = NewType("ExecutionId", str)
EngineId = NewType("EngineId", str)
IncidentId = NewType("IncidentId", str)
ApprovalId = NewType("ApprovalId", str)
ChangeId = NewType("ChangeId", str)

Json = dict[str, Any]


def new_id(prefix: str) -> str:
    """Return a random id such as `inc_5f0c9a1b2c3d4e5f`."""
    return f"{prefix}_{secrets.token_hex(8)}"


class CapabilityType(StrEnum):
    """What kind of thing a capability lets an agent do."""

    REASONING = "reasoning"
    RETRIEVAL = "retrieval"
    GENERATION = "generation"
    TOOL = "tool"
    OBSERVATION = "observation"
    REMEDIATION = "remediation"


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing an agent can do."""

    name: str
    type: CapabilityType
    description: str = ""


@dataclass(frozen=True, slots=True)
class AgentManifest:
    """An agent's identity card. `trust_score` is between 0 and 1."""

    id: AgentId
    name: str
    version: str
    description: str = ""
    framework: str = "python"
    capabilities: tuple[Capability, ...] = ()
    permissions: tuple[str, ...] = ()
    trust_score: float = 1.0

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("an agent manifest needs an id")
        if not 0.0 <= self.trust_score <= 1.0:
            msg = f"agent {self.id!r}: trust_score is {self.trust_score}, expected 0 to 1"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens that one call read and wrote."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class TaskMetrics:
    """What one piece of work took. Cost is in US dollars."""

    execution_time_ms: float = 0.0
    token_usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float = 0.0
    retry_count: int = 0


class ExecutionStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}


class ControlKind(StrEnum):
    """The runtime switches of an engine. The `set_*` kinds carry the value to reach, so that the
    inverse of one is the same kind with the value that stood before."""

    SET_AGENT_ENABLED = "set_agent_enabled"  # {agent_id, enabled: bool}
    SET_FALLBACK_FORCED = "set_fallback_forced"  # {workflow_id, step_id, forced: bool}
    SET_TIMEOUT_FACTOR = "set_timeout_factor"  # {workflow_id, step_id, factor: float}
    SET_WORKER_LIMIT = "set_worker_limit"  # {workers: int | None}; None is the engine's own number
    START_EXECUTION = "start_execution"  # {workflow_id, execution_id, input, traceparent?}
    RESTART_EXECUTION = "restart_execution"  # {execution_id, new_execution_id}
    RETRY_STEP = "retry_step"  # {execution_id, step_id}
    CANCEL_EXECUTION = "cancel_execution"  # {execution_id}


@dataclass(frozen=True, slots=True)
class ControlChange:
    """One order to engines. Applied once by `id`; an engine refuses a `token` (fencing token, grows
    monotonically) that is not above the last one it applied, except for a repeat of the same id."""

    id: ChangeId
    kind: ControlKind
    arguments: Mapping[str, Any]
    token: int
    requested_by: str
    created_at: datetime


class AckStatus(StrEnum):
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ControlAck:
    """What one engine did with a change. `before` holds the arguments that would restore the old
    value (empty where nothing can be restored), `detail` says why it was refused or failed."""

    change_id: ChangeId
    engine_id: EngineId
    status: AckStatus
    before: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ControlOutcome:
    """What became of a change over all engines it concerned. No engine, or a missing
    acknowledgement, is `inconclusive`: never read as success."""

    change: ControlChange
    acks: tuple[ControlAck, ...]
    waiting_for: tuple[EngineId, ...] = ()

    @property
    def is_applied(self) -> bool:
        return (
            bool(self.acks)
            and not self.waiting_for
            and all(ack.status is AckStatus.APPLIED for ack in self.acks)
        )

    @property
    def is_refused(self) -> bool:
        return any(ack.status is not AckStatus.APPLIED for ack in self.acks)


@dataclass(frozen=True, slots=True)
class StepInfo:
    """One step of a workflow as other processes see it."""

    id: StepId
    agent_id: AgentId
    depends_on: tuple[StepId, ...] = ()
    timeout_s: float = 60.0
    max_retries: int = 0
    fallback_agent_id: AgentId | None = None


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """A workflow as other processes see it."""

    id: WorkflowId
    description: str
    steps: tuple[StepInfo, ...]


@dataclass(frozen=True, slots=True)
class TurnedStep:
    """A step of which a switch is not in its normal position."""

    workflow_id: WorkflowId
    step_id: StepId
    is_fallback_forced: bool = False
    timeout_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine that announced itself: what it can run, how its switches stand, and when it was last
    heard of. The switches may be one heartbeat old."""

    id: EngineId
    workflows: tuple[WorkflowInfo, ...]
    agents: tuple[AgentManifest, ...]
    workers: int
    last_seen: datetime | None = None
    disabled_agents: tuple[AgentId, ...] = ()
    turned_steps: tuple[TurnedStep, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """One run of a workflow as the API shows it."""

    id: ExecutionId
    workflow_id: WorkflowId
    status: ExecutionStatus
    engine_id: EngineId
    input: Json
    output: Json | None = None
    error: str | None = None
    restarted_from: ExecutionId | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
