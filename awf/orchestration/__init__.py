"""Workflows, the engine that runs them, its events and its switches; no third-party package.

A name is loaded when it is first asked for: who only emits events does not wait for the engine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from awf.orchestration.controls import Controls
    from awf.orchestration.engine import Engine, EngineSnapshot
    from awf.orchestration.events import EventEmitter, EventType, WorkflowEvent
    from awf.orchestration.registry import AgentError, AgentResult, Registry, StepContext
    from awf.orchestration.workflow import RetryPolicy, Step, Workflow

__all__ = [
    "AgentError", "AgentResult", "Controls", "Engine", "EngineSnapshot", "EventEmitter", "EventType",
    "Registry", "RetryPolicy", "Step", "StepContext", "Workflow", "WorkflowEvent",
]  # fmt: skip

_MODULES = {
    "controls": ("Controls",),
    "engine": ("Engine", "EngineSnapshot"),
    "events": ("EventEmitter", "EventType", "WorkflowEvent"),
    "registry": ("AgentError", "AgentResult", "Registry", "StepContext"),
    "workflow": ("RetryPolicy", "Step", "Workflow"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            found: object = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
