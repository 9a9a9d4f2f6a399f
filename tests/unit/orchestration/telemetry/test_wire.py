"""Our own encoding against that of the OpenTelemetry SDK: the same events, message by message."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from awf.core import semconv
from awf.orchestration import WorkflowEvent
from awf.orchestration.otel_exporter import OTelExporter
from awf.orchestration.telemetry.spans import SpanData
from awf.orchestration.telemetry.wire import Attributes, Envelope, SpanEncoder, any_value, field, varint
from tests.collector import Collector

from ._events import of_all_kinds

EVENTS = of_all_kinds()


async def by_the_sdk(events: list[WorkflowEvent]) -> tuple[list[Any], list[Any], dict[str, Any]]:
    spans, logs, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
    tracers, loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    exporter = OTelExporter(tracer_provider=tracers, logger_provider=loggers, meter_provider=meters)
    for event in events:
        assert exporter.record(event)
    assert await exporter.flush()
    data = reader.get_metrics_data()
    assert data is not None
    await exporter.shutdown()
    return (
        [
            s
            for r in encode_spans(spans.get_finished_spans()).resource_spans
            for c in r.scope_spans
            for s in c.spans
        ],
        [
            g
            for r in encode_logs(logs.get_finished_logs()).resource_logs
            for c in r.scope_logs
            for g in c.log_records
        ],
        {
            m.name: m
            for r in encode_metrics(data).resource_metrics
            for c in r.scope_metrics
            for m in c.metrics
        },
    )


async def by_hand(events: list[WorkflowEvent]) -> Collector:
    with Collector() as collector:
        exporter = OTelExporter(collector.url)
        for event in events:
            assert exporter.record(event)
        await exporter.shutdown()
    return collector


def in_order(message: Any) -> Any:
    """Return a copy whose attributes are sorted and whose empty status is left out."""
    copy = type(message).FromString(message.SerializeToString())
    for part in (copy, *getattr(copy, "events", ())):
        pairs = sorted(part.attributes, key=lambda pair: pair.key)
        del part.attributes[:]
        part.attributes.extend(pairs)
    if "status" in copy.DESCRIPTOR.fields_by_name and copy.status.ByteSize() == 0:
        copy.ClearField("status")
    return copy


async def test_spans_are_the_same_messages() -> None:
    expected, _, _ = await by_the_sdk(EVENTS)
    collector = await by_hand(EVENTS)
    assert len(collector.spans) == len(expected) == 12
    found = {span.span_id: in_order(span) for span in collector.spans}
    for span in expected:
        assert found[span.span_id] == in_order(span)


async def test_log_records_are_the_same_messages() -> None:
    _, expected, _ = await by_the_sdk(EVENTS)
    collector = await by_hand(EVENTS)
    assert [in_order(log) for log in collector.logs] == [in_order(log) for log in expected]


async def test_metrics_are_the_same_messages() -> None:
    _, _, expected = await by_the_sdk(EVENTS)
    collector = await by_hand(EVENTS)
    of_events = {name: metric for name, metric in expected.items() if not name.startswith("awf_export_")}
    assert of_events.keys() >= {semconv.STEP_DURATION, semconv.COST, "gen_ai.client.token.usage"}
    for name, metric in of_events.items():
        assert without_times(collector.metrics[name]) == without_times(metric), name


def without_times(metric: Any) -> Any:
    copy = type(metric).FromString(metric.SerializeToString())
    data = getattr(copy, copy.WhichOneof("data"))
    for point in data.data_points:
        point.ClearField("start_time_unix_nano")
        point.ClearField("time_unix_nano")
        if copy.HasField("histogram"):
            point.ClearField("min")  # they are of one process's life: not cumulative over restarts
            point.ClearField("max")
        elif point.WhichOneof("value") == "as_int":
            point.as_double = float(point.as_int)
        del point.exemplars[:]  # which measurement of a bucket stands for it is anybody's choice
        pairs = sorted(point.attributes, key=lambda pair: pair.key)
        del point.attributes[:]
        point.attributes.extend(pairs)
    points = sorted(data.data_points, key=lambda point: str(point.attributes))
    del data.data_points[:]
    data.data_points.extend(points)
    return copy


async def test_the_histogram_has_exemplars_of_its_spans_once() -> None:
    collector = await by_hand(EVENTS)
    points = collector.metrics[semconv.STEP_DURATION].histogram.data_points
    exemplars = [exemplar for point in points for exemplar in point.exemplars]
    steps = {(span.trace_id, span.span_id) for span in collector.spans if span.name == "awf.step"}
    assert exemplars
    assert {(e.trace_id, e.span_id) for e in exemplars} <= steps


@given(st.integers(0, 2**64 - 1))
def test_varints_are_those_of_protobuf(number: int) -> None:
    decoded, shift = 0, 0
    for byte in varint(number):
        decoded |= (byte & 127) << shift
        shift += 7
    assert decoded == number


@given(
    st.one_of(
        st.booleans(), st.text(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False),
        st.lists(st.one_of(st.text(), st.integers(-100, 100), st.booleans())),
    )
)  # fmt: skip
def test_any_value_reads_as_it_was(value: Any) -> None:
    found = AnyValue.FromString(any_value(value))
    kind = found.WhichOneof("value")
    read = getattr(found, kind)
    if kind == "array_value":
        read = [getattr(item, item.WhichOneof("value")) for item in read.values]
    assert read == value
    assert type(read) is type(value)


def test_true_and_one_are_not_mistaken_for_each_other() -> None:
    encode = Attributes(b"\x0a").encode
    kinds = []
    for value in (1, True, 1.0, True, 1):
        (part,) = encode({"x": value})
        kinds.append(KeyValue.FromString(part[2:]).value.WhichOneof("value"))
    assert kinds == ["int_value", "bool_value", "double_value", "bool_value", "int_value"]


@pytest.mark.parametrize("text", ["\ud800", "naïve\udfff", "🦉"])
def test_text_that_is_no_utf_8_does_not_spoil_a_batch(text: str) -> None:
    span = SpanData("s", "0a" * 16, "0b" * 8, "", 1, 2, {"k": text}, error=text)
    read = ScopeSpans.FromString(SpanEncoder().encode(span)).spans[0]
    assert read.attributes[0].value.string_value == text.encode("utf-8", "replace").decode()


def test_an_envelope_names_resource_and_scope() -> None:
    span = SpanEncoder().encode(SpanData("s", "0a" * 16, "0b" * 8, "", 1, 2, {}))
    message = ExportTraceServiceRequest.FromString(
        Envelope({"service.name": "x"}, has_schema=True).wrap([span])
    )
    (group,) = message.resource_spans
    assert group.resource.attributes[0].value.string_value == "x"
    assert (group.scope_spans[0].scope.name, group.scope_spans[0].schema_url) == ("awf", semconv.SCHEMA_URL)


def test_a_field_longer_than_127_bytes_has_its_length() -> None:
    assert field(b"\x0a", b"x" * 300)[:3] == b"\x0a" + struct.pack("<BB", 0xAC, 0x02)
