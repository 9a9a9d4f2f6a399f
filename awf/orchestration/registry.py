"""Agents and workflows by name: what an engine is able to run."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from awf.core.types import (
    AgentId,
    AgentManifest,
    ExecutionId,
    StepId,
    TaskMetrics,
    WorkflowId,
    WorkflowInfo,
)
from awf.errors import AwfError, NotFound, WorkflowError
from awf.orchestration.workflow import Workflow


@dataclass(frozen=True, slots=True)
class StepContext:
    """What an agent is given: where it runs, the workflow's input and the outputs of the steps that
    its step depends on (neither to be changed: a restart uses them again). It has `timeout_s` seconds.
    `traceparent` is the W3C header of its span, for calls to other services."""

    workflow_id: WorkflowId
    execution_id: ExecutionId
    step_id: StepId
    agent_id: AgentId
    attempt: int
    timeout_s: float
    input: Mapping[str, Any]
    outputs: Mapping[StepId, Any]
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class AgentResult:
    """What an agent gives back. Output should be JSON; an execution time of 0 is measured instead."""

    output: Any = None
    metrics: TaskMetrics = field(default_factory=TaskMetrics)
    model: str = ""
    provider: str = ""


class AgentError(AwfError):
    """Raised by an agent that could not do its work. Queries group by `error_type`: keep it from a small
    set. One that is not retryable goes straight to the fallback agent."""

    reason = "agent_error"

    def __init__(
        self,
        message: str,
        *,
        error_type: str = "agent_error",
        retryable: bool = True,
        metrics: TaskMetrics | None = None,
        model: str = "",
        provider: str = "",
    ) -> None:
        super().__init__(message)
        self.error_type = error_type or "agent_error"
        self.retryable = retryable
        self.metrics = metrics or TaskMetrics()
        self.model = model
        self.provider = provider


AgentFunction = Callable[[StepContext], Awaitable[AgentResult]]


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent's identity card and the coroutine function that does its work."""

    manifest: AgentManifest
    run: AgentFunction


class Registry:
    """What can be run. Add agents first, then the workflows that use them."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}
        self._workflows: dict[str, Workflow] = {}

    def add_agent(self, manifest: AgentManifest, run: AgentFunction) -> None:
        """Register an agent. Raises WorkflowError when the id is taken."""
        if manifest.id in self._agents:
            raise WorkflowError(f"agent {manifest.id!r} is registered twice")
        self._agents[manifest.id] = Agent(manifest, run)

    def add_workflow(self, workflow: Workflow) -> None:
        """Register a workflow. Raises WorkflowError when the id is taken or an agent is unknown."""
        if workflow.id in self._workflows:
            raise WorkflowError(f"workflow {workflow.id!r} is registered twice")
        for step in workflow.steps:
            for agent_id in (step.agent_id, step.fallback_agent_id):
                if agent_id is not None and agent_id not in self._agents:
                    raise WorkflowError(
                        f"workflow {workflow.id!r}: step {step.id!r} names agent {agent_id!r}, which is not registered",
                        hint=_nearest(agent_id, self._agents) or "Register agents before workflows.",
                    )
        self._workflows[workflow.id] = workflow

    def agent(self, agent_id: str) -> Agent:
        """Return an agent. Raises NotFound."""
        if agent_id not in self._agents:
            raise NotFound(f"agent {agent_id!r} is not registered", hint=_nearest(agent_id, self._agents))
        return self._agents[agent_id]

    def workflow(self, workflow_id: str) -> Workflow:
        """Return a workflow. Raises NotFound."""
        if workflow_id not in self._workflows:
            raise NotFound(
                f"workflow {workflow_id!r} is not registered", hint=_nearest(workflow_id, self._workflows)
            )
        return self._workflows[workflow_id]

    def agents(self) -> tuple[AgentManifest, ...]:
        """Return the manifests of all agents."""
        return tuple(agent.manifest for agent in tuple(self._agents.values()))

    def describe(self) -> tuple[WorkflowInfo, ...]:
        """Return all workflows as other processes see them."""
        return tuple(workflow.info() for workflow in tuple(self._workflows.values()))


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else ""
