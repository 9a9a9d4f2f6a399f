"""The exporter into a real Tempo and a real Loki with the repository's configs: what is sent is found there by id,
by search, and across. No Alloy between: `tests/stack/native` has it.

AWF_TEST_TEMPO_BIN=/path/to/tempo AWF_TEST_LOKI_BIN=/path/to/loki pytest tests/e2e/test_real_backends.py
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from awf.core.semconv import EVENTS_DROPPED
from awf.orchestration import WorkflowEvent, identity
from awf.orchestration.otel_exporter import OTelExporter
from tests.collector import Collector
from tests.stack.native import _queries as ask
from tests.stack.native._programs import require, wait_for
from tests.stack.native._stack import Stack
from tests.unit.orchestration.telemetry._events import completed, event, failed


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require("tempo", "loki")
    stack = Stack(tmp_path_factory.mktemp("backends")).add("tempo", "loki")
    try:
        yield stack.start()
    finally:
        stack.stop()


async def send(monkeypatch: pytest.MonkeyPatch, events: list[WorkflowEvent], stack: Stack) -> None:
    with Collector() as metrics:
        # A spool keeps the instance id over restarts, so that a line sent again is the same line.
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=engine-1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", stack.url("tempo_otlp_grpc"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", stack.url("loki", "/otlp/v1/logs"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", metrics.url)
        exporter = OTelExporter(service_name="engine")
        for each in events:
            assert exporter.record(each)
        assert await exporter.flush(30)
        await exporter.shutdown()
    assert [item for item in exporter.counters.snapshot() if item[0] == EVENTS_DROPPED] == []


async def test_what_is_sent_is_found_by_id_by_search_and_from_one_to_the_other(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    well, badly = completed("real-1"), failed("real-2")
    await send(monkeypatch, [*well, *badly], stack)
    trace_id = identity.of(badly[0]).trace_id

    spans = wait_for("spans", lambda: ask.spans(stack, trace_id), 20)
    assert sorted(span["name"] for span in spans) == ["awf.agent.invoke"] * 2 + ["awf.step", "awf.workflow"]
    (root,) = [span for span in spans if span["name"] == "awf.workflow"]
    assert root["status"] == {"message": "provider returned 429", "code": "STATUS_CODE_ERROR"}
    assert len(root["links"]) == 1

    query = '{ span.workflow_id = "report" && name = "awf.agent.invoke" && status = error }'
    found = wait_for("the failed trace by search", lambda: ask.traces(stack, query), 20)
    assert [each["traceID"].rjust(32, "0") for each in found] == [trace_id]
    assert len(ask.traces(stack, '{ span.gen_ai.provider.name = "p1" }')) == 2

    by_execution = wait_for(
        "log lines", lambda: ask.lines(stack, '{service_name="engine"} | execution_id="real-2"'), 20
    )
    assert len(by_execution) == len(badly)
    from_trace = ask.lines(stack, f'{{service_name="engine"}} | trace_id="{trace_id}"')
    assert sorted(line for _, line in from_trace) == sorted(line for _, line in by_execution)
    span_ids = {bytes_of(span["spanId"]) for span in spans}
    assert {labels["span_id"] for labels, _ in by_execution} == span_ids
    errors = ask.lines(stack, '{service_name="engine", level="error"} | error_type="rate_limit"')
    assert {labels["event_type"] for labels, _ in errors} == {"workflow.step.failed", "workflow.failed"}


def bytes_of(span_id: str) -> str:
    """Return hex of what Tempo's JSON has in base64."""
    return base64.b64decode(span_id).hex()


async def test_sent_again_it_is_no_second_line_and_no_span_of_another_id(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = completed("real-3")
    for _ in range(2):
        await send(monkeypatch, events, stack)
    trace_id = identity.of(events[0]).trace_id
    query = '{service_name="engine"} | execution_id="real-3"'
    wait_for("log lines", lambda: len(ask.lines(stack, query)) == len(events), 20)
    wait_for("spans", lambda: ask.spans(stack, trace_id), 20)
    time.sleep(3.0)  # for what comes late to be there, too
    assert len(ask.lines(stack, query)) == len(events)
    # Loki keeps one of two equal lines. Tempo keeps both copies of a span, but they are of one id and equal.
    copies = {span["spanId"]: span for span in ask.spans(stack, trace_id)}
    assert len(copies) == 5
    assert all(span == copies[span["spanId"]] for span in ask.spans(stack, trace_id))


async def test_what_backends_refuse_for_good_is_clamped_before(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = completed("real-4", steps=1)
    more = {"big": "v" * 10_000} | {f"key{number}": "v" * 100 for number in range(500)}
    huge[1:1] = [event(huge[1].type.AGENT_FAILED, "real-4", "x", error_type="e", error="long " * 100_000)]
    huge[0] = replace(huge[0], data={"attributes": more})
    await send(monkeypatch, huge, stack)
    spans = wait_for("spans", lambda: ask.spans(stack, identity.of(huge[0]).trace_id), 20)
    assert len(spans) == 4
    (root,) = [span for span in spans if span["name"] == "awf.workflow"]
    assert 100 < len(root["attributes"]) <= 128
    found = wait_for(
        "log lines", lambda: ask.lines(stack, '{service_name="engine"} | execution_id="real-4"'), 20
    )
    assert len(found) == len(huge)
    assert max(len(line) for _, line in found) < 256 * 1024
    assert any("characters cut]" in line for _, line in found)
