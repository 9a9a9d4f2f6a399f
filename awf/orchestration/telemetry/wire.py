"""OTLP's protobuf messages written by hand, several times faster than through message objects.

Telemetry says the same things again and again: each attribute is encoded once and then copied. The tests
hold every message against those of the OpenTelemetry SDK. Field numbers are those of opentelemetry-proto 1.x.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from awf.core.semconv import EXECUTION_ID, SCHEMA_URL, SCOPE_NAME
from awf.orchestration.telemetry.logs import SEVERITY_NUMBERS, log_of
from awf.orchestration.telemetry.narration import tell
from awf.orchestration.telemetry.record import KIND, Record
from awf.orchestration.telemetry.spans import SpanData

MEMO_SIZE = 8192
MAX_MEMO_VALUE = 256

_SAMPLED = 1
_KIND_INTERNAL = b"\x30\x01"
_FLAGS_SPAN = b"\x85\x01" + struct.pack("<I", 0x100)  # it is known that the parent is not remote
_FLAGS_LINK = b"\x35" + struct.pack("<I", 0x100)
_FLAGS_LOG = b"\x45" + struct.pack("<I", _SAMPLED)
fixed64 = struct.Struct("<BQ").pack
double = struct.Struct("<Bd").pack


def varint(number: int) -> bytes:
    """Return an unsigned integer in base 128; negative ones as 64-bit two's complement."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


# Lengths are small and asked for several times an event.
_LENGTHS = [varint(number) for number in range(2048)]


def field(tag: bytes, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    size = len(payload)
    return tag + (_LENGTHS[size] if size < 2048 else varint(size)) + payload


def text(tag: bytes, value: str) -> bytes:
    """Return a string field; lone surrogates become question marks."""
    return field(tag, value.encode("utf-8", "replace"))


def any_value(value: object) -> bytes:
    """Return an AnyValue message; what is no number, boolean, text or sequence becomes its text."""
    if isinstance(value, str):
        return text(b"\x0a", value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return double(0x21, value)
    if isinstance(value, (list, tuple)):
        return field(b"\x2a", b"".join(field(b"\x0a", any_value(item)) for item in value))
    return text(b"\x0a", str(value))


class Attributes:
    """Encodes attributes, each name and value once. `tag` is that of the field they stand in."""

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._memo: dict[tuple[str, object, type], bytes] = {}

    def encode(self, attributes: Mapping[str, Any]) -> list[bytes]:
        """Return one field for each attribute."""
        memo, parts = self._memo, []
        for name, value in attributes.items():
            try:
                # True == 1 == 1.0, but they are encoded differently.
                parts.append(memo[name, value, type(value)])
            except (KeyError, TypeError):
                parts.append(self._encode_new(name, value))
        return parts

    def _encode_new(self, name: str, value: object) -> bytes:
        encoded = field(self._tag, text(b"\x0a", name) + field(b"\x12", any_value(value)))
        if len(encoded) <= MAX_MEMO_VALUE and isinstance(value, (str, int, float)):
            if len(self._memo) >= MEMO_SIZE:
                self._memo = {}
            self._memo[name, value, type(value)] = encoded
        return encoded


class SpanEncoder:
    """Encodes spans as fields of ScopeSpans."""

    def __init__(self) -> None:
        self._attributes = Attributes(b"\x4a").encode
        self._more = Attributes(b"\x1a").encode
        self._names: dict[str, bytes] = {}

    def encode(self, span: SpanData) -> bytes:
        name = self._names.get(span.name)
        if name is None:
            name = self._names[span.name] = text(b"\x2a", span.name) + _KIND_INTERNAL
        unhex = bytes.fromhex
        parts = [
            b"\x0a\x10", unhex(span.trace_id), b"\x12\x08", unhex(span.span_id),
            b"\x22\x08" + unhex(span.parent_id) if span.parent_id else b"", name,
            fixed64(0x39, span.start_ns), fixed64(0x41, span.end_ns),
            *self._attributes(span.attributes),
        ]  # fmt: skip
        for time_ns, event, more in span.events:
            parts.append(
                field(b"\x5a", fixed64(0x09, time_ns) + text(b"\x12", event) + b"".join(self._more(more)))
            )
        for link in span.links:
            linked = b"\x0a\x10" + unhex(link.trace_id) + b"\x12\x08" + unhex(link.span_id) + _FLAGS_LINK
            parts.append(field(b"\x6a", linked))
        if span.error is not None:
            parts.append(field(b"\x7a", text(b"\x12", span.error) + b"\x18\x02"))
        parts.append(_FLAGS_SPAN)
        return field(b"\x12", b"".join(parts))


class LogEncoder:
    """Encodes the log records of events as fields of ScopeLogs."""

    def __init__(self) -> None:
        self._attributes = Attributes(b"\x32").encode
        self._memo: dict[tuple[Any, ...], tuple[bytes, bytes]] = {}
        self._executions: dict[str, bytes] = {}
        self._levels = {
            level: b"\x10" + varint(number) + text(b"\x1a", level.upper())
            for level, number in SEVERITY_NUMBERS.items()
        }

    def encode(self, record: Record) -> bytes:
        """Return what `log_of` says of an event."""
        level, attributes = self._memo.get(record[:KIND]) or self._new(record)
        execution = self._executions.get(record.execution_id) or self._new_execution(record.execution_id)
        unhex = bytes.fromhex
        time = fixed64(0x09, record.time_ns)
        return field(b"\x12", b"".join((
            time, level, field(b"\x2a", text(b"\x0a", tell(record))), attributes, execution,
            b"\x4a\x10", unhex(record.trace_id), b"\x52\x08", unhex(record.span_id), b"\x59", time[1:],
        )))  # fmt: skip

    def _new(self, record: Record) -> tuple[bytes, bytes]:
        log = log_of(record)
        same = {name: value for name, value in log.attributes.items() if name != EXECUTION_ID}
        if len(self._memo) >= MEMO_SIZE:
            self._memo = {}
        found = self._memo[record[:KIND]] = (
            self._levels[log.level] + _FLAGS_LOG,
            b"".join(self._attributes(same)),
        )
        return found

    def _new_execution(self, execution_id: str) -> bytes:
        if len(self._executions) >= MEMO_SIZE:
            self._executions = {}
        (found,) = self._attributes({EXECUTION_ID: execution_id})
        self._executions[execution_id] = found
        return found


class Envelope:
    """Puts encoded items into an export request of one resource."""

    def __init__(self, resource: Mapping[str, Any], *, has_schema: bool = False) -> None:
        attributes = b"".join(Attributes(b"\x0a").encode(resource))
        self._before = field(b"\x0a", attributes)
        self._scope = field(b"\x0a", text(b"\x0a", SCOPE_NAME))
        self._schema = text(b"\x1a", SCHEMA_URL) if has_schema else b""

    def wrap(self, items: Sequence[bytes]) -> bytes:
        """Return the whole request."""
        in_scope = field(b"\x12", self._scope + b"".join(items) + self._schema)
        return field(b"\x0a", self._before + in_scope)
