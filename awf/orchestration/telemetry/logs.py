"""One log record for each event: what happened in words, and where to find its trace."""

from __future__ import annotations

from typing import NamedTuple

from awf.core import semconv
from awf.orchestration.telemetry import narration
from awf.orchestration.telemetry.record import Record
from awf.orchestration.telemetry.spans import Attributes

# OpenTelemetry's numbers of the levels.
SEVERITY_NUMBERS = {narration.DEBUG: 5, narration.INFO: 9, narration.WARN: 13, narration.ERROR: 17}


class LogData(NamedTuple):
    """A log record. The time is in nanoseconds since the epoch, `level` is debug, info, warn or error."""

    time_ns: int
    level: str
    body: str
    attributes: Attributes
    trace_id: str
    span_id: str


def log_of(record: Record) -> LogData:
    """Return what an event is told as. The same event is told the same way again, so that Loki, which keeps
    one of two equal lines, keeps one of a line sent twice."""
    level = narration.level_of(record)
    attributes: Attributes = {
        semconv.LEVEL: level,
        semconv.EVENT_TYPE: record.type,
        semconv.WORKFLOW_ID: record.workflow_id,
        semconv.EXECUTION_ID: record.execution_id,
    }
    if record.step_id:
        attributes[semconv.STEP_ID] = record.step_id
    if record.agent_id:
        attributes[semconv.AGENT_ID] = record.agent_id
    if record.attempt:
        attributes[semconv.ATTEMPT] = record.attempt
    if record.error_type:
        attributes[semconv.ERROR_TYPE] = record.error_type
    if record.provider:
        attributes[semconv.PROVIDER] = record.provider
    if record.model:
        attributes[semconv.MODEL] = record.model
    return LogData(record.time_ns, level, narration.tell(record), attributes, record.trace_id, record.span_id)
