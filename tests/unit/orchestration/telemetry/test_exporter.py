"""The exporter over the wire: both protocols, restarts, and what a collector that refuses makes it do."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from awf.core import semconv
from awf.core.counters import Counters
from awf.core.types import ExecutionId
from awf.errors import ConfigError, DataDirError
from awf.orchestration import AgentResult, EventEmitter, StepContext
from awf.orchestration.otel_exporter import OTelExporter, SpoolOptions
from tests.collector import Collector, Refusal, free_port

from .._parts import Bench, make_registry, make_step, make_workflow
from ._events import completed, endless, failed, of_all_kinds

PROTOCOLS = ["grpc", "http/protobuf"]


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0.02)


def record(exporter: OTelExporter, events: list[Any]) -> None:
    for event in events:
        assert exporter.record(event)


async def test_a_signal_that_nobody_wants_holds_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    with Collector("grpc") as collector:
        exporter = OTelExporter(collector.url)
        record(exporter, of_all_kinds())
        await exporter.shutdown()
        assert len(collector.spans) == 12
        assert semconv.STEP_DURATION in collector.metrics
        assert collector.logs == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_everything_arrives_and_a_replay_makes_the_same_ids(protocol: str) -> None:
    with Collector(protocol) as collector:
        ids = []
        for _ in range(2):
            exporter = OTelExporter(collector.url, protocol=protocol, service_name="engine")
            record(exporter, of_all_kinds())
            await exporter.shutdown()
            ids.append({(span.trace_id, span.span_id, span.name) for span in collector.spans})
            assert len(collector.spans) == len(ids[-1]) == 12
            collector.spans.clear()
        assert ids[0] == ids[1]
        assert len(collector.logs) == 2 * len(of_all_kinds())
        assert semconv.STEP_DURATION in collector.metrics
        resource = collector.resources[0]
        assert resource["service.name"] == "engine"
        assert resource["service.instance.id"]


async def test_the_recorder_has_an_event_before_emit_returns(tmp_path: Path) -> None:
    exporter = OTelExporter("http://127.0.0.1:1", spool=tmp_path)
    emitter = EventEmitter(recorder=exporter.record)
    for event in completed("x1"):
        assert await emitter.emit(event)
    (segment,) = tmp_path.glob("0001/*.segment")
    assert segment.read_bytes().count(b'"x1"') == len(completed("x1"))
    await exporter.shutdown(0.1)
    assert not await emitter.emit(completed("x1")[0])
    assert exporter.counters.get(semconv.EVENTS_DROPPED, reason="closed") == 1


async def test_a_restart_goes_on_where_the_last_process_ended(tmp_path: Path) -> None:
    events = completed("x1", steps=3)
    with Collector() as collector:
        first = OTelExporter(collector.url, spool=tmp_path, service_name="engine")
        record(first, events[:6])
        assert await first.flush()
        await first.shutdown()
        second = OTelExporter(collector.url, spool=tmp_path, service_name="engine")
        record(second, events[6:])
        await second.shutdown()
    spans = {span.name: span for span in collector.spans}
    assert len(collector.spans) == 7
    assert spans[semconv.SPAN_WORKFLOW].start_time_unix_nano == events[0].time_ns
    assert len(collector.logs) == len(events)
    assert collector.values(semconv.WORKFLOWS) == {("report", "completed"): 1, ("report", "failed"): 0}
    assert sum(collector.values(semconv.AGENT_INVOCATIONS).values()) == 3
    assert len({resource["service.instance.id"] for resource in collector.resources}) == 1
    starts = {
        point.start_time_unix_nano
        for request in collector.metric_requests for group in request.resource_metrics
        for scope in group.scope_metrics for metric in scope.metrics if metric.name == semconv.WORKFLOWS
        for point in metric.sum.data_points
    }  # fmt: skip
    assert len(starts) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_was_recorded_before_the_collector_came_up_arrives(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with caplog.at_level(logging.INFO, logger="awf"):
        exporter = OTelExporter(f"http://127.0.0.1:{port}", protocol=protocol)
        record(exporter, completed("x1"))
        await until(lambda: any("not delivered" in r.message for r in caplog.records))
        with Collector(protocol, port=port) as collector:
            await until(lambda: len(collector.logs) == 10 and len(collector.spans) == 5)
            await exporter.shutdown()
    said = [r.message for r in caplog.records if getattr(r, "signal", "") == "traces"]
    assert said == ["telemetry is not delivered", "telemetry is delivered again"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_shutting_down_without_a_collector_ends_and_counts_what_is_lost(protocol: str) -> None:
    exporter = OTelExporter("http://127.0.0.1:1", protocol=protocol)
    record(exporter, completed("x1"))
    async with asyncio.timeout(10):
        await exporter.shutdown(timeout_s=0.5)
        await exporter.shutdown()
    assert exporter.counters.get(semconv.EVENTS_DROPPED, reason="shutdown") == 10
    assert not await exporter.flush()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_poisonous_item_is_set_aside_and_the_rest_arrives(protocol: str, tmp_path: Path) -> None:
    def rule(signal: str, request: Any) -> Refusal | None:
        return Refusal(400, detail="bad span") if b"x7" in request.SerializeToString() else None

    with Collector(protocol, rule=rule) as collector:
        exporter = OTelExporter(collector.url, protocol=protocol, spool=tmp_path)
        for number in range(20):
            record(exporter, completed(f"x{number}", steps=1))
        assert await exporter.flush()
        await exporter.shutdown()
    poisonous = 3 + 6  # spans and log records of execution x7
    assert len(collector.spans) == 60 - 3
    assert len(collector.logs) == 120 - 6
    lines = [json.loads(line) for line in (tmp_path / "0001/set_aside.jsonl").read_text().splitlines()]
    assert sum(len(line["items"]) for line in lines) == poisonous
    assert {line["signal"] for line in lines} == {"traces", "logs"}
    assert exporter.counters.get(semconv.EVENTS_DROPPED, reason="rejected") == poisonous


async def test_a_partial_success_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    with Collector(answer=answer.SerializeToString()) as collector:
        exporter = OTelExporter(collector.url)
        record(exporter, completed("x1"))
        await exporter.shutdown()
    assert exporter.counters.get(semconv.EXPORT_FAILURES, reason="traces_partly_rejected") == 1
    assert "2 items rejected: too old" in [getattr(r, "detail", "") for r in caplog.records]


async def test_what_the_exporter_says_of_itself_arrives() -> None:
    with Collector() as collector:
        exporter = OTelExporter(collector.url)
        record(exporter, failed("x1"))
        await exporter.shutdown()
    assert collector.values(semconv.EXPORTED_EVENTS) == {(): 11}
    assert collector.values(semconv.SPOOL_EVENTS) == {(): 0}
    assert set(collector.values(semconv.EXPORT_DURATION)) == {("traces",), ("logs",)}


async def test_histograms_of_parts_arrive_as_histograms_and_those_of_several_parts_together() -> None:
    with Collector() as collector:
        exporter, other = OTelExporter(collector.url), Counters()
        exporter.watch_counters(other)
        exporter.counters.observe(semconv.WATCHER_RECOVERY_MS, 12_000.0, status="resolved")
        other.observe(semconv.WATCHER_RECOVERY_MS, 90_000_000.0, status="escalated")
        record(exporter, completed("x1"))
        await exporter.shutdown()
    assert collector.values(semconv.WATCHER_RECOVERY_MS) == {("resolved",): 1, ("escalated",): 1}
    found = collector.metrics[semconv.WATCHER_RECOVERY_MS].histogram
    for point in found.data_points:
        assert tuple(point.explicit_bounds) == semconv.WATCHER_RECOVERY_BUCKETS_MS
        at = {"resolved": 2, "escalated": len(point.explicit_bounds)}[point.attributes[0].value.string_value]
        assert [index for index, count in enumerate(point.bucket_counts) if count] == [at]
        assert point.start_time_unix_nano < point.time_unix_nano


async def test_series_beyond_the_limit_add_up_in_one() -> None:
    with Collector() as collector:
        exporter = OTelExporter(collector.url, max_series=5)
        exporter.watch_counters(exporter.counters)
        for number in range(20):
            events = completed(f"x{number}", steps=1)
            object.__setattr__(events[-1], "workflow_id", f"w{number}")
            record(exporter, events)
        await exporter.shutdown()
    points = collector.metrics[semconv.WORKFLOWS].sum.data_points
    assert len(points) == 5
    assert sum(point.as_double for point in points) == 20
    (overflow,) = [p for p in points if p.attributes[0].key == "otel.metric.overflow"]
    assert overflow.attributes[0].value.bool_value
    assert collector.values(semconv.SERIES_OVERFLOWS)[semconv.WORKFLOWS,] > 0


async def test_engine_and_exporter_together(tmp_path: Path) -> None:
    async def think(context: StepContext) -> AgentResult:
        return AgentResult("done")

    with Collector() as collector:
        exporter = OTelExporter(collector.url, spool=tmp_path)
        async with Bench(make_registry({"a": think}, make_workflow("w", make_step("s")))) as bench:
            exporter.watch(bench.engine.snapshot)
            bench.emitter.subscribe(exporter.on_event)
            await bench.engine.wait(await bench.engine.submit("w", {"q": "secret"}, ExecutionId("x")))
            await bench.emitter.aclose()
        await exporter.shutdown()
    assert {span.name for span in collector.spans} == {"awf.workflow", "awf.step", "awf.agent.invoke"}
    assert collector.values(semconv.EXECUTIONS_ACTIVE) == {("w",): 0}
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.glob("0001/*.segment"))


async def test_with_content_inputs_and_outputs_are_attributes() -> None:
    events = completed("x1")
    object.__setattr__(events[0], "data", {"input": {"q": "why"}})
    object.__setattr__(events[-1], "data", {"output": ["because"]})
    with Collector() as collector:
        exporter = OTelExporter(collector.url, include_content=True)
        record(exporter, events)
        await exporter.shutdown()
    (root,) = [span for span in collector.spans if span.name == "awf.workflow"]
    found = {a.key: a.value.string_value for a in root.attributes}
    assert (found["awf.input"], found["awf.output"]) == ('{"q": "why"}', '["because"]')


async def test_two_exporters_on_one_directory_have_lanes_of_their_own(tmp_path: Path) -> None:
    with Collector() as collector:
        exporters = [OTelExporter(collector.url, spool=tmp_path, service_name="web") for _ in range(2)]
        for number, exporter in enumerate(exporters):
            record(exporter, completed(f"x{number}"))
        for exporter in exporters:
            await exporter.shutdown()
    assert len(collector.logs) == 20
    assert len({resource["service.instance.id"] for resource in collector.resources}) == 2


async def test_many_events_are_sent_in_few_requests_in_their_order() -> None:
    events = [event for event, _ in zip(endless(), range(6000), strict=False)]
    with Collector() as collector:
        exporter = OTelExporter(collector.url)
        record(exporter, events)
        await exporter.shutdown(20.0)
    assert [log.time_unix_nano for log in collector.logs] == [event.time_ns for event in events]
    assert collector.requests["logs"] <= 4


async def test_headers_compression_and_resource_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for protocol in PROTOCOLS:
        with Collector(protocol) as collector:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-Tenant=blue%20team,authorization=Basic abc")
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=blue,service.instance.id=pod-7")
            monkeypatch.setenv("OTEL_SERVICE_NAME", "checkout")
            exporter = OTelExporter()
            record(exporter, completed("x1"))
            await exporter.shutdown()
        assert len(collector.spans) == 5
        assert collector.headers[0]["x-tenant"] == "blue team"
        assert collector.headers[0]["authorization"] == "Basic abc"
        resource = collector.resources[0]
        assert (resource["team"], resource["service.name"]) == ("blue", "checkout")
        assert resource["service.instance.id"] == "pod-7"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with server.pem and server.key for loopback, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "server.key", "-out", folder / "server.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_collector_with_its_own_certificate_is_trusted_when_told(
    protocol: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, key = certificates / "server.pem", certificates / "server.key"
    with Collector(protocol, tls=(key, pem)) as collector:
        distrusting = OTelExporter(collector.url, protocol=protocol)
        record(distrusting, completed("x1"))
        await distrusting.shutdown(1.0)
        assert collector.spans == []
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(pem))
        exporter = OTelExporter(collector.url, protocol=protocol)
        record(exporter, completed("x1"))
        await exporter.shutdown()
        assert len(collector.spans) == 5


def test_what_cannot_be_used_is_refused_when_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_PROTOCOL is 'carrier pigeon'"):
        OTelExporter(protocol="carrier pigeon")
    with pytest.raises(ConfigError, match="'http://:4317' is no address"):
        OTelExporter("http://:4317")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="no spool can be kept"):
        OTelExporter(spool=SpoolOptions(tmp_path / "file"))


async def test_a_metric_that_is_refused_for_good_keeps_no_other_from_arriving() -> None:
    def rule(signal: str, request: Any) -> Refusal | None:
        names = {
            m.name for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics
        } if signal == "metrics" else set()  # fmt: skip
        return Refusal(400) if semconv.TOKENS in names else None

    with Collector(rule=rule) as collector:
        exporter = OTelExporter(collector.url)
        record(exporter, completed("x1"))
        assert await exporter.flush()
        await exporter.shutdown()
    assert {semconv.WORKFLOWS, semconv.STEP_DURATION, semconv.COST} <= collector.metrics.keys()
    assert semconv.TOKENS not in collector.metrics


@pytest.mark.parametrize(("protocol", "unused"), [("grpc", "requests"), ("http/protobuf", "grpc")])
def test_only_the_protocol_that_is_spoken_is_loaded(protocol: str, unused: str) -> None:
    program = (
        "import sys; from awf.orchestration.otel_exporter import OTelExporter; "
        f"OTelExporter(protocol={protocol!r}); print({unused!r} in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_answer_that_cannot_be_read_is_an_answer(protocol: str) -> None:
    with Collector(protocol, answer=b"\xff no protobuf") as collector:
        exporter = OTelExporter(collector.url, protocol=protocol)
        record(exporter, completed("x1"))
        assert await exporter.flush()
        await exporter.shutdown()
    assert len(collector.logs) == 10
