"""What an event says about its execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from awf.core.types import EngineId, ExecutionId, ExecutionRecord, ExecutionStatus, WorkflowId
from awf.errors import InvalidInput
from awf.state.documents import storable


@dataclass(frozen=True, slots=True)
class EventHead:
    """The parts of an event's JSON form that are read here."""

    type: str
    workflow_id: WorkflowId
    execution_id: ExecutionId
    id: str
    time_ns: int
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("type", "workflow_id", "execution_id", "id"):
            if not 0 < len(getattr(self, name)) <= 128:
                raise InvalidInput(f"an event's {name} has 0 or more than 128 characters", field=name)
            if storable(getattr(self, name)) != getattr(self, name):
                raise InvalidInput(f"an event's {name} has characters that are none", field=name)
        if not 0 <= self.time_ns < 2**62:
            raise InvalidInput(f"an event's time_ns is {self.time_ns}", field="time_ns")

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.time_ns / 1e9, UTC)


def follow_event(record: ExecutionRecord | None, event: EventHead, engine_id: EngineId) -> ExecutionRecord:
    """Return the execution after an event. An execution first heard of in the middle is running."""
    if record is None:
        record = ExecutionRecord(
            id=event.execution_id,
            workflow_id=event.workflow_id,
            status=ExecutionStatus.RUNNING,
            engine_id=engine_id,
            input={},
            created_at=event.at,
            started_at=event.at,
        )
    record = replace(record, engine_id=engine_id)
    match event.type:
        case "workflow.started":
            return replace(
                _running(record),
                input=_document(event.data.get("input")) or record.input,
                restarted_from=event.data.get("restarted_from") or record.restarted_from,
                started_at=event.at,
            )
        case "workflow.step.started":  # after a failure: the failed step is tried again
            return _running(record) if record.status is not ExecutionStatus.CANCELLED else record
        case "workflow.completed":
            output = _document(event.data.get("output"))
            return replace(record, status=ExecutionStatus.COMPLETED, output=output, finished_at=event.at)
        case "workflow.failed":
            error = event.error or "failed without a reason"
            return replace(record, status=ExecutionStatus.FAILED, error=error, finished_at=event.at)
        case "workflow.cancelled":
            return replace(record, status=ExecutionStatus.CANCELLED, finished_at=event.at)
    return record


def _running(record: ExecutionRecord) -> ExecutionRecord:
    return replace(record, status=ExecutionStatus.RUNNING, error=None, finished_at=None)


def _document(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None else {"value": value}
