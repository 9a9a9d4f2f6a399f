"""Records in words: the level and the sentence of the log record that each event becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from awf.orchestration.telemetry.record import Record

DEBUG, INFO, WARN, ERROR = "debug", "info", "warn", "error"

_NOTHING: Mapping[str, Any] = {}


def level_of(record: Record) -> str:
    """Return debug, info, warn or error."""
    return _TELLING.get(record.type, _UNKNOWN)[0]


def tell(record: Record) -> str:
    """Say what happened, without anybody's input or output."""
    return _TELLING.get(record.type, _UNKNOWN)[1](record)


def _workflow_started(record: Record) -> str:
    data = record.data or _NOTHING
    origin = ""
    if "retried_step" in data:
        origin = f" again from step {data['retried_step']}"
    elif "restarted_from" in data:
        origin = f" again with the input of execution {data['restarted_from']}"
    return f"workflow {record.workflow_id} started{origin}"


def _workflow_completed(record: Record) -> str:
    spent = ""
    if record.took_ms is not None:
        tokens = record.input_tokens + record.output_tokens
        spent = f" with {tokens} tokens for {record.cost_usd:.4f} USD"
    return f"workflow {record.workflow_id} completed{spent}"


def _workflow_failed(record: Record) -> str:
    return f"workflow {record.workflow_id} failed: {record.error} ({record.error_type})"


def _workflow_cancelled(record: Record) -> str:
    return f"workflow {record.workflow_id} was cancelled"


def _step_started(record: Record) -> str:
    return f"{_step(record)} started, agent {record.agent_id}"


def _step_completed(record: Record) -> str:
    return f"{_step(record)} completed{_took(record)} by agent {record.agent_id}, attempt {record.attempt}"


def _step_failed(record: Record) -> str:
    return f"{_step(record)} failed: agent {record.agent_id}: {_cause(record)}"


def _step_retrying(record: Record) -> str:
    delay_s = (record.data or _NOTHING).get("delay_s", 0)
    return f"{_step(record)} is retried in {delay_s} s: agent {record.agent_id}: {_cause(record)}"


def _step_fallback(record: Record) -> str:
    data = record.data or _NOTHING
    instead = f"agent {data.get('fallback_of')}"
    return f"{_step(record)} falls back from {instead} to agent {record.agent_id}: {data.get('reason')}"


def _step_skipped(record: Record) -> str:
    missing = (record.data or _NOTHING).get("missing", ())
    return f"{_step(record)} skipped: no output from {', '.join(map(str, missing))}"


def _agent_invoked(record: Record) -> str:
    return f"agent {record.agent_id} invoked for {_step(record)}, attempt {record.attempt}"


def _agent_completed(record: Record) -> str:
    return f"agent {record.agent_id} completed{_took(record)} for {_step(record)}, attempt {record.attempt}"


def _agent_failed(record: Record) -> str:
    return f"agent {record.agent_id} failed{_took(record)} for {_step(record)}: {_cause(record)}"


def _step(record: Record) -> str:
    return f"step {record.step_id} of workflow {record.workflow_id}"


def _cause(record: Record) -> str:
    return f"{record.error} ({record.error_type}), attempt {record.attempt}"


def _took(record: Record) -> str:
    return "" if record.took_ms is None else f" in {record.took_ms:.0f} ms"


_TELLING: dict[str, tuple[str, Callable[[Record], str]]] = {
    "workflow.started": (INFO, _workflow_started),
    "workflow.completed": (INFO, _workflow_completed),
    "workflow.failed": (ERROR, _workflow_failed),
    "workflow.cancelled": (WARN, _workflow_cancelled),
    "workflow.step.started": (DEBUG, _step_started),
    "workflow.step.completed": (INFO, _step_completed),
    "workflow.step.failed": (ERROR, _step_failed),
    "workflow.step.retrying": (WARN, _step_retrying),
    "workflow.step.fallback": (WARN, _step_fallback),
    "workflow.step.skipped": (WARN, _step_skipped),
    "agent.invoked": (DEBUG, _agent_invoked),
    "agent.completed": (DEBUG, _agent_completed),
    "agent.failed": (WARN, _agent_failed),
}
_UNKNOWN: tuple[str, Callable[[Record], str]] = (INFO, lambda record: record.type)
