"""Events in words: the level and the sentence of the log record that each event becomes."""

from __future__ import annotations

from awf.orchestration.events import EventType, WorkflowEvent

DEBUG, INFO, WARN, ERROR = "debug", "info", "warn", "error"

_LEVELS = {
    EventType.WORKFLOW_STARTED: INFO,
    EventType.WORKFLOW_COMPLETED: INFO,
    EventType.WORKFLOW_FAILED: ERROR,
    EventType.WORKFLOW_CANCELLED: WARN,
    EventType.STEP_STARTED: DEBUG,
    EventType.STEP_COMPLETED: INFO,
    EventType.STEP_FAILED: ERROR,
    EventType.STEP_RETRYING: WARN,
    EventType.STEP_FALLBACK: WARN,
    EventType.STEP_SKIPPED: WARN,
    EventType.AGENT_INVOKED: DEBUG,
    EventType.AGENT_COMPLETED: DEBUG,
    EventType.AGENT_FAILED: WARN,
}


def level(event: WorkflowEvent) -> str:
    """Return debug, info, warn or error."""
    return _LEVELS[event.type]


def sentence(event: WorkflowEvent) -> str:
    """Say what happened, without the input or output of anything."""
    if event.type.value.startswith("agent."):
        return _of_agent(event)
    return _of_step(event) if event.step_id else _of_workflow(event)


def _of_workflow(event: WorkflowEvent) -> str:
    workflow = f"workflow {event.workflow_id}"
    match event.type:
        case EventType.WORKFLOW_STARTED:
            return f"{workflow} started{_origin(event)}"
        case EventType.WORKFLOW_COMPLETED:
            return f"{workflow} completed{_spent(event)}"
        case EventType.WORKFLOW_FAILED:
            return f"{workflow} failed: {event.error} ({event.error_type})"
        case _:
            return f"{workflow} was cancelled"


def _of_step(event: WorkflowEvent) -> str:
    step, agent = f"step {event.step_id} of workflow {event.workflow_id}", f"agent {event.agent_id}"
    match event.type:
        case EventType.STEP_STARTED:
            return f"{step} started, {agent}"
        case EventType.STEP_COMPLETED:
            return f"{step} completed{_took(event)} by {agent}, attempt {event.attempt}"
        case EventType.STEP_FAILED:
            return f"{step} failed: {agent}: {_cause(event)}"
        case EventType.STEP_RETRYING:
            return f"{step} is retried in {event.data.get('delay_s', 0)} s: {agent}: {_cause(event)}"
        case EventType.STEP_FALLBACK:
            instead = f"agent {event.data.get('fallback_of')}"
            return f"{step} falls back from {instead} to {agent}: {event.data.get('reason')}"
        case _:
            return f"{step} skipped: no output from {', '.join(event.data.get('missing', ()))}"


def _of_agent(event: WorkflowEvent) -> str:
    step, agent = f"step {event.step_id} of workflow {event.workflow_id}", f"agent {event.agent_id}"
    match event.type:
        case EventType.AGENT_INVOKED:
            return f"{agent} invoked for {step}, attempt {event.attempt}"
        case EventType.AGENT_COMPLETED:
            return f"{agent} completed{_took(event)} for {step}, attempt {event.attempt}"
        case _:
            return f"{agent} failed{_took(event)} for {step}: {_cause(event)}"


def _cause(event: WorkflowEvent) -> str:
    return f"{event.error} ({event.error_type}), attempt {event.attempt}"


def _origin(event: WorkflowEvent) -> str:
    if "retried_step" in event.data:
        return f" again from step {event.data['retried_step']}"
    if "restarted_from" in event.data:
        return f" again with the input of execution {event.data['restarted_from']}"
    return ""


def _took(event: WorkflowEvent) -> str:
    return f" in {event.metrics.execution_time_ms:.0f} ms" if event.metrics else ""


def _spent(event: WorkflowEvent) -> str:
    if event.metrics is None:
        return ""
    return f" with {event.metrics.token_usage.total} tokens for {event.metrics.cost_usd:.4f} USD"
