"""Log records and spans of random requests are what a plain reading of the parsed messages gives."""

from __future__ import annotations

import math
import random
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from awf.embedded.blocks import LogBlock, SpanBlock, encode
from awf.embedded.intake import Intake
from awf.embedded.model import LogRecord, Span, SpanEvent, SpanLink
from awf.embedded.otlp.logs import LogsDecoder
from awf.embedded.otlp.names import metadata_name
from awf.embedded.otlp.traces import TracesDecoder
from awf.embedded.otlp.values import attributes, flatten, labels, plain, text

from ._messages import NOW_NS

KEYS = ["a", "a.b", "a_b", "a__b", "level", "", "_", "9x", "__r__", "key!", 'q"', "ü", "\U0001f600", "trace_id",
        "detected_level", "service.name", "service.namespace", "b\\c", "\n"]  # fmt: skip
TEXTS = ["", "x", "WARN", "Fatal", "héllo", '"quoted"\\', "\x00\x7f", "\U0001f600", "x" * 300, " "]
NUMBERS = [0, 1, -1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.5, 1e300, 5e-324, math.nan, math.inf, -math.inf, 1e21]
LEVELS = {"unknown": "unknown", "trace": "debug", "critical": "error", "fatal": "error"}
Draw = random.Random


def fill(draw: Draw, value: AnyValue, depth: int = 0) -> None:
    match draw.randrange(9 if depth < 3 else 6):
        case 0 | 1:
            value.string_value = draw.choice(TEXTS)
        case 2:
            value.int_value = draw.choice(NUMBERS)
        case 3:
            value.double_value = draw.choice(FLOATS)
        case 4:
            value.bool_value = draw.random() < 0.5
        case 5:
            value.bytes_value = draw.randbytes(draw.randrange(5))
        case 6:
            value.array_value.SetInParent()
            for _ in range(draw.randrange(3)):
                fill(draw, value.array_value.values.add(), depth + 1)
        case 7:
            value.kvlist_value.SetInParent()
            describe(draw, value.kvlist_value.values, depth + 1)
        case _:
            pass


def describe(draw: Draw, pairs: Any, depth: int = 0) -> None:
    for _ in range(draw.choice([0, 1, 2, 5])):
        fill(draw, pairs.add(key=draw.choice(KEYS)).value, depth)


def about(draw: Draw, group: Any) -> None:
    group.scope.name, group.scope.version = draw.choice(TEXTS), draw.choice(["", "1"])
    describe(draw, group.scope.attributes)


def random_logs(draw: Draw) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    for _ in range(draw.randrange(1, 3)):
        resource = request.resource_logs.add()
        describe(draw, resource.resource.attributes)
        for _ in range(draw.randrange(1, 3)):
            group = resource.scope_logs.add()
            about(draw, group)
            for _ in range(draw.randrange(6)):
                record = group.log_records.add(
                    time_unix_nano=draw.choice([0, NOW_NS, NOW_NS * 2]), observed_time_unix_nano=draw.choice([0, 5]),
                    severity_number=draw.choice([0, 1, 9, 17, 24, 99, -5]), severity_text=draw.choice(TEXTS),
                    trace_id=draw.randbytes(draw.choice([0, 16])), span_id=draw.randbytes(draw.choice([0, 8, 3])),
                    event_name=draw.choice(["", "", "e", '"']),
                )  # fmt: skip
                fill(draw, record.body)
                describe(draw, record.attributes)
    return request


def random_traces(draw: Draw) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for _ in range(draw.randrange(1, 3)):
        resource = request.resource_spans.add()
        describe(draw, resource.resource.attributes)
        group = resource.scope_spans.add()
        about(draw, group)
        for _ in range(draw.randrange(6)):
            span = group.spans.add(
                trace_id=draw.randbytes(16), span_id=draw.randbytes(8), parent_span_id=draw.randbytes(draw.choice([0, 8])),
                name=draw.choice(TEXTS), kind=draw.choice([0, 5, 6, -1]), start_time_unix_nano=NOW_NS,
                end_time_unix_nano=NOW_NS - draw.randrange(2),
            )  # fmt: skip
            span.status.code, span.status.message = draw.choice([0, 2, 3, -1]), draw.choice(TEXTS)
            describe(draw, span.attributes)
            for _ in range(draw.choice([0, 0, 2])):
                describe(draw, span.events.add(time_unix_nano=NOW_NS, name=draw.choice(TEXTS)).attributes)
                describe(draw, span.links.add(trace_id=draw.randbytes(16)).attributes)
    return request


def plain_logs(request: ExportLogsServiceRequest) -> list[LogRecord]:
    return [
        plain_log(resource.resource, group.scope, record)
        for resource in request.resource_logs
        for group in resource.scope_logs
        for record in group.log_records
        if (record.time_unix_nano or record.observed_time_unix_nano or NOW_NS) <= NOW_NS
    ]


def metadata_of(values: dict[str, Any]) -> dict[str, str]:
    return labels(dict(flatten(values)), metadata_name)


def plain_log(resource: Any, scope: Any, record: Any) -> LogRecord:
    described = metadata_of(attributes(resource.attributes))
    names = ("service_name", "service_namespace", "deployment_environment_name")
    index = {name: described.pop(name) for name in names if name in described}
    own = attributes(record.attributes)
    named = text(own.pop("level", None))
    known = {"warn": "warn", "fatal": "fatal"}
    number = record.severity_number
    by_number = ["trace", "debug", "info", "warn", "error", "fatal"][min(max(number - 1, 0) // 4, 5)]
    level = known.get(named.lower()) or known.get(record.severity_text.lower())
    level = level or (by_number if number > 0 else "unknown")
    said = {"scope_name": scope.name, "scope_version": scope.version}
    context = {
        "trace_id": record.trace_id.hex(), "span_id": record.span_id.hex(), "event_name": record.event_name,
        "severity_number": str(number or ""), "severity_text": record.severity_text, "detected_level": level,
    }  # fmt: skip
    return LogRecord(
        record.time_unix_nano or record.observed_time_unix_nano or NOW_NS,
        text(plain(record.body)),
        {"service_name": "unknown_service", **index, "level": LEVELS.get(level, level)},
        described
        | metadata_of(attributes(scope.attributes))
        | {name: value for name, value in said.items() if value}
        | metadata_of(own)
        | {name: value for name, value in context.items() if value},
    )


def plain_spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(
            span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name,
            span.kind if span.kind in range(6) else 0, span.start_time_unix_nano, span.end_time_unix_nano,
            span.status.code if span.status.code in range(3) else 0, span.status.message,
            attributes(span.attributes), attributes(resource.resource.attributes), group.scope.name, group.scope.version,
            [SpanEvent(event.time_unix_nano, event.name, attributes(event.attributes)) for event in span.events],
            [SpanLink(link.trace_id.hex(), link.span_id.hex(), attributes(link.attributes)) for link in span.links],
        )
        for resource in request.resource_spans
        for group in resource.scope_spans
        for span in group.spans
    ]  # fmt: skip


def columns(block: LogBlock) -> tuple[Any, ...]:
    return block.keys, block.timestamps_ns, block.lines, block.metadata


def test_random_log_records_are_read_as_their_messages_say() -> None:
    draw, decoder = Draw(5), LogsDecoder()
    for _ in range(300):
        request = random_logs(draw)
        found = decoder.decode(request.SerializeToString(), Intake(NOW_NS)).logs
        assert columns(found) == columns(LogBlock.of(plain_logs(request)))


def test_random_spans_are_read_as_their_messages_say() -> None:
    draw, decoder = Draw(6), TracesDecoder()
    for _ in range(300):
        request = random_traces(draw)
        found = decoder.decode(request.SerializeToString(), Intake(NOW_NS)).spans
        assert found.rows == SpanBlock.of(plain_spans(request)).rows


def test_what_is_read_from_a_block_is_what_was_put_in() -> None:
    draw = Draw(7)
    records, spans = plain_logs(random_logs(draw)), plain_spans(random_traces(draw))
    assert list(LogBlock.of(records)) == records
    assert LogBlock.of(records)[-2:] == records[-2:]
    again = SpanBlock.of(spans)
    # A NaN equals no other, so the text is compared.
    assert [encode(span.attributes) for span in again] == [encode(span.attributes) for span in spans]
    assert SpanBlock.of(list(again)).rows == again.rows
    assert SpanBlock.of(again[-2:]).rows == again.rows[-2:]


def test_a_request_that_is_cut_off_or_changed_is_read_or_refused_as_protobuf_says() -> None:
    draw = Draw(9)
    for make, decoder, read in (
        (random_logs, LogsDecoder(), lambda request: columns(LogBlock.of(plain_logs(request)))),
        (random_traces, TracesDecoder(), lambda request: SpanBlock.of(plain_spans(request)).rows),
    ):
        outcomes = set()
        for _ in range(300):
            request = make(draw)
            body = bytearray(request.SerializeToString())[: draw.randrange(1, 400)]
            if draw.random() < 0.5:
                body[draw.randrange(len(body))] = draw.randrange(256)
            try:
                expected = read(type(request).FromString(bytes(body)))
            except DecodeError:
                outcomes.add("refused")
                continue
            found = decoder.decode(bytes(body), Intake(NOW_NS))
            if found.refused:
                continue
            outcomes.add("read")
            assert (columns(found.logs) if make is random_logs else found.spans.rows) == expected
        assert outcomes == {"refused", "read"}
