"""The demo on the real stores: what arrives, how one finds from one signal to the next, what is computed."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import httpx
import pytest

from awf.core.semconv import ERROR_TYPE, EXECUTION_ID, LEVEL, LOG_INDEX_LABELS, STEP_DURATION, WORKFLOWS
from awf.orchestration.otel_exporter import OTelExporter
from tests.stack.native import _arrived
from tests.stack.native import _queries as ask
from tests.stack.native._otlp import SECOND, Sender
from tests.stack.native._programs import require, wait_for
from tests.stack.native._stack import Stack
from tests.stack.native._workload import Workload
from tests.unit.orchestration.telemetry._events import failed

HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
LATE = 5 * HOUR + HOUR // 2


@pytest.fixture(scope="module")
def stack(workload: Workload) -> Stack:
    """The stack once the demo's telemetry is in every store, and with one execution that failed."""
    stack = workload.stack
    asyncio.run(_send_a_failure(stack))
    wait_for("metrics", lambda: ask.samples(stack, WORKFLOWS), 60, workload.explain)
    wait_for("logs", lambda: ask.lines(stack, '{service_name="awf-demo"}', limit=5), 60, workload.explain)
    wait_for("traces", lambda: ask.traces(stack, '{ name = "awf.agent.invoke" }'), 60, workload.explain)
    return stack


async def _send_a_failure(stack: Stack) -> None:
    exporter = OTelExporter(stack.url("alloy_otlp_grpc"), service_name="failing")
    for event in failed("native-failed"):
        assert exporter.record(event)
    assert await exporter.flush(30)
    await exporter.shutdown()


def test_alloy_reports_every_part_of_the_stack_and_its_own_log(stack: Stack) -> None:
    parts = {"alloy", "loki", "tempo", "mimir", "grafana"}

    def up() -> bool:
        return {each["metric"]["job"] for each in ask.samples(stack, "up == 1")} >= parts

    wait_for("scrapes of every part", up, 60, lambda: str(ask.samples(stack, "up")))
    assert ask.samples(stack, "otelcol_exporter_queue_size")
    assert ask.samples(stack, "otelcol_receiver_accepted_spans_total")
    assert wait_for("Alloy's log", lambda: ask.lines(stack, '{service_name="alloy", level="info"}'), 30)


def test_level_is_an_index_label_and_finds_what_awf_exports(stack: Stack) -> None:
    found = wait_for("errors", lambda: ask.lines(stack, '{service_name="failing", level="error"}'), 30)
    assert {labels["event_type"] for labels, _ in found} == {"workflow.step.failed", "workflow.failed"}
    assert {labels[ERROR_TYPE] for labels, _ in found} == {"rate_limit"}
    labels = httpx.get(stack.url("loki", "/loki/api/v1/labels"), timeout=10).json()["data"]
    # `component` is Alloy's own, of its own log.
    assert {"service_name", LEVEL} <= set(labels) <= {*LOG_INDEX_LABELS, "component"}


def test_from_an_exemplar_to_its_trace_to_its_logs_and_back_to_its_metrics(stack: Stack) -> None:
    def is_whole(trace_id: str) -> bool:
        # An exemplar of a step is there before its execution has ended, and with it the root span.
        return any(span["name"] == "awf.workflow" for span in ask.spans(stack, trace_id))

    def of_the_demo() -> list[dict[str, str]]:
        bucket = f'{STEP_DURATION}_bucket{{job="awf-demo"}}'
        return [each for each in ask.exemplars(stack, bucket) if is_whole(each["trace_id"])]

    exemplar = wait_for("an exemplar whose trace is there", of_the_demo, 60)[-1]
    spans = ask.spans(stack, exemplar["trace_id"])
    by_id = {base64.b64decode(span["spanId"]).hex(): span for span in spans}
    assert by_id[exemplar["span_id"]]["name"] == "awf.step"
    (root,) = [span for span in spans if span["name"] == "awf.workflow"]
    words = {entry["key"]: entry["value"].get("stringValue", "") for entry in root["attributes"]}

    query = f'{{service_name="awf-demo"}} | trace_id="{exemplar["trace_id"]}"'
    lines = wait_for("the trace's log lines", lambda: ask.lines(stack, query), 30)
    assert {labels[EXECUTION_ID] for labels, _ in lines} == {words["execution_id"]}
    assert {labels["span_id"] for labels, _ in lines} <= set(by_id)
    series = f'{WORKFLOWS}{{job="awf-demo", workflow_id="{words["workflow_id"]}"}}'
    assert ask.samples(stack, series)


def test_every_rule_is_evaluated_without_an_error(stack: Stack) -> None:
    def frequent() -> list[dict[str, Any]]:
        found = [rule for rule in ask.rules(stack) if rule["interval"] <= 60]
        return found if found and all(rule["health"] != "unknown" for rule in found) else []

    wait_for("evaluations of every rule that is due each minute", frequent, 150)
    rules = ask.rules(stack)
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"] == []
    assert {rule["type"] for rule in rules} >= {"recording"}
    for rule in rules:  # also those whose turn comes in an hour
        ask.samples(stack, rule["query"])
    for name in ("workflow:awf_executions:rate5m", "step:awf_step_duration_ms:p95_5m"):
        wait_for(name, lambda name=name: ask.samples(stack, name), 60)


def test_loki_records_series_that_only_logs_can_give(stack: Stack) -> None:
    query = 'agent:awf_agent_failures:rate5m{error_type="rate_limit"}'
    assert wait_for("a series that Loki recorded", lambda: ask.samples(stack, query), 150)
    assert {each["metric"].get(LEVEL) for each in ask.samples(stack, "service:awf_log_lines:rate5m")} >= {
        "info"
    }


def test_tempo_makes_metrics_of_spans_with_exemplars_that_lead_back(stack: Stack) -> None:
    calls = 'traces_spanmetrics_calls_total{service="awf-demo", span_name="awf.step"}'
    found = wait_for("span metrics", lambda: ask.samples(stack, calls), 60)
    assert all(each["metric"]["workflow_id"] for each in found)
    latency = 'traces_spanmetrics_latency_bucket{service="awf-demo"}'

    def leads_back() -> bool:
        return any(
            ask.spans(stack, each["trace_id"]) for each in ask.exemplars(stack, latency) if "trace_id" in each
        )

    wait_for("an exemplar of span metrics whose trace is there", leads_back, 60)


def test_tempo_answers_metrics_queries_over_traces(stack: Stack) -> None:
    parameters = {"q": '{ name = "awf.step" } | rate() by (span.workflow_id)', "since": "10m"}

    def series() -> list[Any]:
        answer = httpx.get(stack.url("tempo", "/api/metrics/query_range"), params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        return list(answer.json().get("series") or ())

    wait_for("series of TraceQL metrics", series, 60)


def test_loki_finds_patterns_in_the_demos_lines(stack: Stack) -> None:
    def patterns() -> list[Any]:
        now = time.time_ns()
        window = {"query": '{service_name="awf-demo"}', "start": now - HOUR, "end": now, "step": "30s"}
        answer = httpx.get(stack.url("loki", "/loki/api/v1/patterns"), params=window, timeout=10)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    assert wait_for("patterns", patterns, 90)


def test_logs_that_are_five_hours_late_are_taken_and_found(stack: Stack) -> None:
    sender, now = _send_late(stack, "logs", LATE)
    wanted = f'{{service_name="{sender.service}"}}'

    def found() -> bool:
        window = {"query": wanted, "start": now - LATE - HOUR, "end": now + SECOND}
        answer = httpx.get(stack.url("loki", "/loki/api/v1/query_range"), params=window, timeout=10)
        return sum(len(each["values"]) for each in answer.json()["data"]["result"]) == 2

    wait_for("both lines", found, 30)


def test_spans_that_are_six_days_late_are_found_by_id_at_once_and_soon_by_search(stack: Stack) -> None:
    sender, now = _send_late(stack, "traces", 6 * DAY)
    wait_for("the late trace", lambda: _arrived.traces(stack, sender.service, [2]), 30)

    def found() -> bool:
        start = (now - 6 * DAY) // SECOND - 60
        query = {"q": f'{{ resource.service.name = "{sender.service}" }}', "start": start, "end": start + 120}
        answer = httpx.get(stack.url("tempo", "/api/search"), params=query, timeout=10)
        return len(answer.json().get("traces") or ()) == 1

    wait_for("the late trace by search", found, 240)


def test_samples_that_are_five_hours_late_are_taken_and_found(stack: Stack) -> None:
    require(
        "mimir"
    )  # the way to Prometheus is another one: Alloy's remote write refuses what is out of order
    sender, _ = _send_late(stack, "metrics", LATE)
    wait_for("both samples", lambda: _arrived.samples(stack, sender.service) == {1, 2}, 30)


def _send_late(stack: Stack, signal: str, late_ns: int) -> tuple[Sender, int]:
    """Send an item of now, and then one with an older time: its stream, or series, is ahead of it."""
    sender, now = Sender(stack.url("alloy_otlp_http"), signal, f"late-{signal}"), time.time_ns()
    sender.send_at(1, now)
    time.sleep(2)
    sender.send_at(2, now - late_ns)
    assert sender.acknowledged == [1, 2]
    return sender, now
