"""OTLP log records to log entries: few index labels, the rest structured metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from awf.core.semconv import LEVEL, LOG_INDEX_LABELS, SERVICE_NAME
from awf.embedded.intake import Intake
from awf.embedded.model import LogRecord
from awf.embedded.otlp import lazy
from awf.embedded.otlp.names import metadata_name
from awf.embedded.otlp.values import attributes, flatten, labels, plain, read_attributes, text

MAX_LINE_BYTES = 256 * 1024
MAX_METADATA_BYTES = 64 * 1024
UNKNOWN = "unknown"

DETECTED_LEVEL = "detected_level"
_LEVELS = {
    "trace": "trace", "debug": "debug", "info": "info", "information": "info", "notice": "info",
    "warn": "warn", "warning": "warn", "error": "error", "critical": "critical", "fatal": "fatal",
}  # fmt: skip
_INDEXED = {"trace": "debug", "critical": "error", "fatal": "error"}
# OTLP numbers severities in fours: trace 1, debug 5, info 9, warn 13, error 17, fatal 21.
_SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal")

_Request = lazy.with_bytes(ExportLogsServiceRequest, {lazy.RESOURCE, lazy.SCOPE, lazy.ATTRIBUTE})


class LogsDecoder:
    """Decodes requests; resources, scopes and short attributes that come again are read once."""

    def __init__(self) -> None:
        self._resource = lazy.read_once(_resource, count=512, longest=8192)
        self._scope = lazy.read_once(_scope, count=512, longest=4096)
        self._pairs = lazy.read_once(_pairs, count=16_384, longest=256)

    def decode(self, body: bytes, intake: Intake) -> Intake:
        """Add the request's log entries; what is over-long or from the future is refused. Raises DecodeError."""
        for resource in _Request.FromString(body).resource_logs:
            index, described = self._resource(resource.resource)
            for scope in resource.scope_logs:
                shared = {**described, **self._scope(scope.scope)}
                for record in scope.log_records:
                    self._record(intake, record, index, shared)
        return intake

    def _record(
        self, intake: Intake, record: Any, index: Mapping[str, str], shared: Mapping[str, str]
    ) -> None:
        at = record.time_unix_nano or record.observed_time_unix_nano or intake.now_ns
        if not intake.takes_time(at, "a log record"):
            return
        line = text(plain(record.body))
        if (size := len(line.encode())) > MAX_LINE_BYTES:
            intake.refuse(f"a log line of {size} bytes is over the limit of {MAX_LINE_BYTES}")
            return
        try:
            own = self._own(record.attributes)
        except DecodeError:
            intake.refuse("a log record has attributes that cannot be read")
            return
        level = _level(own.pop(LEVEL, ""), record)
        metadata = {**shared, **own, **_context(record), DETECTED_LEVEL: level}
        if (size := _size(metadata)) > MAX_METADATA_BYTES:
            intake.refuse(
                f"a log record's metadata of {size} bytes is over the limit of {MAX_METADATA_BYTES}"
            )
            return
        # An index label must stay low-cardinality; the metadata keeps the finer word that Loki gives.
        intake.logs.append(LogRecord(at, line, {**index, LEVEL: _INDEXED.get(level, level)}, metadata))

    def _own(self, given: Iterable[bytes]) -> dict[str, str]:
        """Return a record's attributes as metadata. Raises DecodeError."""
        pairs = [pair for part in given for pair in self._pairs(part)]
        own = dict(pairs)
        if len(own) == len(pairs):
            return own
        level = next((value for name, value in reversed(pairs) if name == LEVEL), "")
        described = read_attributes(given)
        described.pop(LEVEL, None)
        return _labels(described) | ({LEVEL: level} if level else {})


def _pairs(part: bytes) -> tuple[tuple[str, str], ...]:
    """Return what one attribute gives; the level is kept whole."""
    attribute = KeyValue.FromString(part)
    value = plain(attribute.value)
    if attribute.key == LEVEL:
        return ((LEVEL, text(value)),)
    return tuple(_labels({attribute.key: value}).items())


def _resource(part: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Return the index labels of a resource, and its other labels."""
    described = _labels(attributes(Resource.FromString(part).attributes))
    index: dict[str, str] = {name: described.pop(name) for name in LOG_INDEX_LABELS[:3] if name in described}
    index.setdefault(SERVICE_NAME, "unknown_service")
    return index, described


def _scope(part: bytes) -> dict[str, str]:
    scope = InstrumentationScope.FromString(part)
    named = {"scope_name": scope.name, "scope_version": scope.version}
    return _labels(attributes(scope.attributes)) | {name: value for name, value in named.items() if value}


def _labels(values: Mapping[str, Any]) -> dict[str, str]:
    return labels(dict(flatten(values)), metadata_name)


def _context(record: Any) -> dict[str, str]:
    found = {}
    if record.trace_id:
        found["trace_id"] = record.trace_id.hex()
    if record.span_id:
        found["span_id"] = record.span_id.hex()
    if record.severity_number:
        found["severity_number"] = str(record.severity_number)
    if record.severity_text:
        found["severity_text"] = record.severity_text
    if record.event_name:
        found["event_name"] = record.event_name
    return found


def _level(attribute: str, record: Any) -> str:
    """Return what the record calls its level, else what its number says, else `unknown`."""
    for name in (attribute, record.severity_text):
        if (known := _LEVELS.get(name.lower())) is not None:
            return known
    number = record.severity_number
    return UNKNOWN if number <= 0 else _SEVERITIES[min((number - 1) // 4, 5)]


def _size(metadata: Mapping[str, str]) -> int:
    """Return bytes, or a bound of them where that is far from the limit anyway."""
    bound = 4 * (sum(map(len, metadata)) + sum(map(len, metadata.values())))
    if bound <= MAX_METADATA_BYTES:
        return bound
    return sum(len(name) + len(value.encode()) for name, value in metadata.items())
