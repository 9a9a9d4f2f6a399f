"""OTLP log records to log entries: few index labels, the rest structured metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from awf.core.semconv import LEVEL, LOG_INDEX_LABELS, SERVICE_NAME
from awf.embedded.blocks import joined, member
from awf.embedded.intake import Intake
from awf.embedded.model import LabelKey
from awf.embedded.otlp import lazy
from awf.embedded.otlp.memory import Memory
from awf.embedded.otlp.names import metadata_name
from awf.embedded.otlp.values import attributes, flatten, labels, plain, read_attributes, text

MAX_LINE_BYTES = 256 * 1024
MAX_METADATA_BYTES = 64 * 1024
MAX_KNOWN_LEVEL = 32
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
        self._resource = Memory(_Described, count=512, longest=8192)
        self._scope = Memory(_scope, count=512, longest=4096)
        self._pair = Memory(_pair, count=16_384, longest=256)

    def decode(self, body: bytes, intake: Intake) -> Intake:
        """Add the request's log entries; what is over-long or from the future is refused. Raises DecodeError."""
        for resource in _Request.FromString(body).resource_logs:
            described = self._resource[resource.resource]
            for scope in resource.scope_logs:
                shared = {**described.members, **self._scope[scope.scope]}
                for record in scope.log_records:
                    self._record(intake, record, described.streams, shared)
        return intake

    def _record(
        self, intake: Intake, record: Any, streams: Mapping[str, LabelKey], shared: Mapping[str, str]
    ) -> None:
        at = record.time_unix_nano or record.observed_time_unix_nano or intake.now_ns
        if not intake.takes_time(at, "a log record"):
            return
        line = record.body.string_value or text(plain(record.body))
        if 4 * len(line) > MAX_LINE_BYTES and (size := len(line.encode())) > MAX_LINE_BYTES:
            intake.refuse(f"a log line of {size} bytes is over the limit of {MAX_LINE_BYTES}")
            return
        try:
            members = self._own(record.attributes)
        except DecodeError:
            intake.refuse("a log record has attributes that cannot be read")
            return
        named, severity = members.pop(LEVEL, ""), record.severity_text
        read = _known_severity if len(named) + len(severity) <= MAX_KNOWN_LEVEL else _severity
        level, said = read(named, severity, record.severity_number)
        metadata = joined({**shared, **members, **said, **_context(record)})
        # JSON is never shorter than what it says.
        if len(metadata) > MAX_METADATA_BYTES and (size := _size(metadata)) > MAX_METADATA_BYTES:
            intake.refuse(
                f"a log record's metadata of {size} bytes is over the limit of {MAX_METADATA_BYTES}"
            )
            return
        intake.logs.add(streams[level], at, line, metadata)

    def _own(self, given: Sequence[bytes]) -> dict[str, str]:
        """Return a record's attributes as members of its metadata, and its level as it is. Raises DecodeError."""
        own: dict[str, str] = dict(map(self._pair.__getitem__, given))
        if len(own) == len(given) and "" not in own:
            return own
        described = read_attributes(given)
        level = text(described.pop(LEVEL, None))
        return _members(described) | {LEVEL: level}


class _Described:
    """A resource: its streams, one a level, and what else it says, as members of metadata."""

    def __init__(self, part: bytes) -> None:
        described = _labels(attributes(Resource.FromString(part).attributes))
        index: dict[str, str] = {
            name: described.pop(name) for name in LOG_INDEX_LABELS[:3] if name in described
        }
        index.setdefault(SERVICE_NAME, "unknown_service")
        # An index label must stay low-cardinality; the metadata keeps the finer word that Loki gives.
        self.streams = {
            level: frozenset({**index, LEVEL: _INDEXED.get(level, level)}.items())
            for level in {*_LEVELS.values(), UNKNOWN}
        }
        self.members = _as_members(described)


def _pair(part: bytes) -> tuple[str, str]:
    """Return the one member that an attribute gives, of no name if it is none or several; the level is kept whole."""
    attribute = KeyValue.FromString(part)
    value = plain(attribute.value)
    if attribute.key == LEVEL:
        return LEVEL, text(value)
    if isinstance(value, dict) or not (members := _members({attribute.key: value})):
        return "", ""
    ((name, content),) = members.items()
    return name, content


def _scope(part: bytes) -> dict[str, str]:
    scope = InstrumentationScope.FromString(part)
    named = {"scope_name": scope.name, "scope_version": scope.version}
    found = _labels(attributes(scope.attributes)) | {name: value for name, value in named.items() if value}
    return _as_members(found)


def _members(values: Mapping[str, Any]) -> dict[str, str]:
    return _as_members(_labels(values))


def _as_members(described: Mapping[str, str]) -> dict[str, str]:
    return {name: member(name, value) for name, value in described.items()}


def _labels(values: Mapping[str, Any]) -> dict[str, str]:
    return labels(dict(flatten(values)), metadata_name)


def _context(record: Any) -> dict[str, str]:
    found = {}
    if trace_id := record.trace_id:
        found["trace_id"] = f'"trace_id":"{trace_id.hex()}"'
    if span_id := record.span_id:
        found["span_id"] = f'"span_id":"{span_id.hex()}"'
    if name := record.event_name:
        found["event_name"] = member("event_name", name)
    return found


def _severity(attribute: str, severity: str, number: int) -> tuple[str, dict[str, str]]:
    """Return a record's level, and the members of its metadata that say so."""
    known = _LEVELS.get(attribute.lower()) or _LEVELS.get(severity.lower())
    level = known or (UNKNOWN if number <= 0 else _SEVERITIES[min((number - 1) // 4, 5)])
    said = {DETECTED_LEVEL: level, "severity_number": str(number or ""), "severity_text": severity}
    return level, _as_members({name: value for name, value in said.items() if value})


_known_severity = lru_cache(1024)(_severity)


def _size(metadata: str) -> int:
    return sum(len(name) + len(value.encode()) for name, value in json.loads(metadata).items())
