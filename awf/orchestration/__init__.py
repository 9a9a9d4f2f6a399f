"""Workflows, the engine that runs them, its events and its switches; no third-party package."""

from awf.orchestration.controls import Controls
from awf.orchestration.engine import Engine, EngineSnapshot
from awf.orchestration.events import EventEmitter, EventType, WorkflowEvent
from awf.orchestration.registry import AgentError, AgentResult, Registry, StepContext
from awf.orchestration.workflow import RetryPolicy, Step, Workflow

__all__ = [
    "AgentError", "AgentResult", "Controls", "Engine", "EngineSnapshot", "EventEmitter", "EventType",
    "Registry", "RetryPolicy", "Step", "StepContext", "Workflow", "WorkflowEvent",
]  # fmt: skip
