"""OTLP log records to log entries: few index labels, the rest structured metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as WireRecord

from awf.core.semconv import LEVEL, LOG_INDEX_LABELS, SERVICE_NAME
from awf.embedded.model import LogRecord
from awf.embedded.otlp.names import metadata_name
from awf.embedded.otlp.rows import Rows
from awf.embedded.otlp.values import attributes, flatten, labels, plain, text

MAX_LINE_BYTES = 256 * 1024
MAX_METADATA_BYTES = 64 * 1024
UNKNOWN = "unknown"

DETECTED_LEVEL = "detected_level"
_LEVELS = {
    "trace": "trace", "debug": "debug", "info": "info", "information": "info", "notice": "info",
    "warn": "warn", "warning": "warn", "error": "error", "critical": "critical", "fatal": "fatal",
}  # fmt: skip
_INDEXED = {"trace": "debug", "critical": "error", "fatal": "error"}


def decode(request: ExportLogsServiceRequest, now_ns: int) -> Rows:
    """Return the request's log entries; what is over-long or from the future is refused."""
    rows = Rows(now_ns)
    for resource in request.resource_logs:
        described = _labels(attributes(resource.resource.attributes))
        index: dict[str, str] = {
            name: described.pop(name) for name in LOG_INDEX_LABELS[:3] if name in described
        }
        index.setdefault(SERVICE_NAME, "unknown_service")
        for scope in resource.scope_logs:
            shared = {**described, **_scope(scope.scope)}
            for record in scope.log_records:
                _record(rows, record, index, shared)
    return rows


def _record(rows: Rows, record: WireRecord, index: Mapping[str, str], shared: Mapping[str, str]) -> None:
    at = record.time_unix_nano or record.observed_time_unix_nano or rows.now_ns
    if not rows.takes_time(at, "a log record"):
        return
    line = text(plain(record.body))
    size = len(line.encode())
    if size > MAX_LINE_BYTES:
        rows.refuse(f"a log line of {size} bytes is over the limit of {MAX_LINE_BYTES}")
        return
    own = attributes(record.attributes)
    level = _level(own.pop(LEVEL, None), record)
    metadata = {**shared, **_labels(own), **_context(record), DETECTED_LEVEL: level}
    size = sum(len(name) + len(value.encode()) for name, value in metadata.items())
    if size > MAX_METADATA_BYTES:
        rows.refuse(f"a log record's metadata of {size} bytes is over the limit of {MAX_METADATA_BYTES}")
        return
    # An index label must stay low-cardinality; the metadata keeps the finer word that Loki gives.
    rows.logs.append(LogRecord(at, line, {**index, LEVEL: _INDEXED.get(level, level)}, metadata))


def _labels(values: Mapping[str, Any]) -> dict[str, str]:
    return labels(dict(flatten(values)), metadata_name)


def _scope(scope: InstrumentationScope) -> dict[str, str]:
    named = {"scope_name": scope.name, "scope_version": scope.version}
    return _labels(attributes(scope.attributes)) | {name: value for name, value in named.items() if value}


def _context(record: WireRecord) -> dict[str, str]:
    found = {
        "trace_id": record.trace_id.hex(),
        "span_id": record.span_id.hex(),
        "severity_number": str(record.severity_number or ""),
        "severity_text": record.severity_text,
        "event_name": record.event_name,
    }
    return {name: value for name, value in found.items() if value}


def _level(attribute: Any, record: WireRecord) -> str:
    """Return what the record calls its level, else what its number says, else `unknown`."""
    for name in (text(attribute), record.severity_text):
        if name.lower() in _LEVELS:
            return _LEVELS[name.lower()]
    if record.severity_number <= 0:
        return UNKNOWN
    # OTLP numbers severities in fours: trace 1, debug 5, info 9, warn 13, error 17, fatal 21.
    steps = ("trace", "debug", "info", "warn", "error", "fatal")
    return steps[min((record.severity_number - 1) // 4, 5)]
