"""The exporter into a real Tempo and a real Loki: what is sent is found there by id, by search, and across.

AWF_TEST_TEMPO_BIN=/path/to/tempo AWF_TEST_LOKI_BIN=/path/to/loki pytest tests/e2e/test_real_backends.py
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from awf.core.semconv import EVENTS_DROPPED
from awf.orchestration import WorkflowEvent, identity
from awf.orchestration.otel_exporter import OTelExporter
from tests.collector import Collector, free_port
from tests.unit.orchestration.telemetry._events import completed, event, failed

TEMPO_CONFIG = """
server: {{ http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc} }}
distributor: {{ receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: "127.0.0.1:{otlp}" }} }} }} }} }}
live_store:
  wal: {{ path: {folder}/live/traces, ingestion_time_range_slack: 168h }}
  shutdown_marker_dir: {folder}/live/marker
  max_trace_idle: 1s
  flush_check_period: 1s
backend_scheduler: {{ local_work_path: {folder}/scheduler }}
backend_worker: {{ backend_scheduler_addr: "127.0.0.1:{grpc}", finish_on_shutdown_timeout: 1s }}
query_frontend: {{ query_end_cutoff: 0s }}
storage:
  trace:
    backend: local
    wal: {{ path: {folder}/wal, ingestion_time_range_slack: 168h }}
    local: {{ path: {folder}/blocks }}
memberlist: {{ bind_addr: [127.0.0.1], bind_port: {gossip} }}
usage_report: {{ reporting_enabled: false }}
"""
LOKI_CONFIG = """
auth_enabled: false
server: {{ http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc} }}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  replication_factor: 1
  ring: {{ kvstore: {{ store: inmemory }} }}
  storage: {{ filesystem: {{ chunks_directory: {folder}/chunks, rules_directory: {folder}/rules }} }}
schema_config:
  configs:
    - {{ from: 2024-04-01, store: tsdb, object_store: filesystem, schema: v13, index: {{ prefix: index_, period: 24h }} }}
ingester: {{ lifecycler: {{ min_ready_duration: 1s }} }}
query_scheduler: {{ use_scheduler_ring: false }}
frontend: {{ address: 127.0.0.1 }}
limits_config:
  otlp_config:
    resource_attributes:
      ignore_defaults: true
      attributes_config: [{{ action: index_label, attributes: [service.name] }}]
storage_config: {{ use_thanos_objstore: false }}
analytics: {{ reporting_enabled: false }}
"""


def program(variable: str) -> str:
    path = os.environ.get(variable, "")
    if not path:
        pytest.skip(f"{variable} names no program: see the top of this file")
    return path


@contextlib.contextmanager
def running(binary: str, config: str, folder: Path, **ports: int) -> Iterator[str]:
    """Start a backend on loopback, yield its address once it is ready, and end it."""
    ports = {"http": free_port(), "grpc": free_port(), "gossip": free_port()} | ports
    folder.mkdir()
    path = folder / "config.yaml"
    path.write_text(config.format(folder=folder, **ports))
    url = f"http://127.0.0.1:{ports['http']}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([binary, f"-config.file={path}"], cwd=folder, stdout=log, stderr=log)
        try:
            wait_for(
                lambda: httpx.get(f"{url}/ready").status_code == 200,
                60,
                lambda: (folder / "log").read_text()[-3000:],
            )
            yield url
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:  # Tempo takes its time, and nothing here is to be kept
                process.kill()
                process.wait(10)


def wait_for(is_there: Any, limit_s: float, explain: Any = lambda: "") -> Any:
    give_up_at = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(httpx.TransportError):
            if found := is_there():
                return found
        assert time.monotonic() < give_up_at, explain()
        time.sleep(0.3)


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, int]]:
    """Yield Tempo's and Loki's addresses and Tempo's OTLP port."""
    tempo, loki = program("AWF_TEST_TEMPO_BIN"), program("AWF_TEST_LOKI_BIN")
    folder, otlp = tmp_path_factory.mktemp("backends"), free_port()
    with (
        running(tempo, TEMPO_CONFIG, folder / "tempo", otlp=otlp) as tempo_url,
        running(loki, LOKI_CONFIG, folder / "loki") as loki_url,
    ):
        yield tempo_url, loki_url, otlp


async def send(monkeypatch: pytest.MonkeyPatch, events: list[WorkflowEvent], loki: str, otlp: int) -> None:
    with Collector() as metrics:
        # A spool keeps the instance id over restarts, so that a line sent again is the same line.
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=engine-1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{otlp}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", f"{loki}/otlp/v1/logs")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", metrics.url)
        exporter = OTelExporter(service_name="engine")
        for each in events:
            assert exporter.record(each)
        assert await exporter.flush(30)
        await exporter.shutdown()
    assert [item for item in exporter.counters.snapshot() if item[0] == EVENTS_DROPPED] == []


def trace(tempo: str, trace_id: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{tempo}/api/traces/{trace_id}", headers={"accept": "application/json"})
    if answer.status_code != 200:
        return []
    return [s for b in answer.json()["batches"] for c in b["scopeSpans"] for s in c["spans"]]


def lines(loki: str, query: str) -> list[tuple[dict[str, str], str]]:
    now = time.time_ns()
    parameters: dict[str, Any] = {
        "query": query,
        "start": now - 3_600 * 10**9,
        "end": now + 10**9,
        "limit": 1000,
    }
    answer = httpx.get(f"{loki}/loki/api/v1/query_range", params=parameters)
    assert answer.status_code == 200, answer.text
    return [(s["stream"], line) for s in answer.json()["data"]["result"] for _, line, *_ in s["values"]]


async def test_what_is_sent_is_found_by_id_by_search_and_from_one_to_the_other(
    backends: tuple[str, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tempo, loki, otlp = backends
    well, badly = completed("real-1"), failed("real-2")
    await send(monkeypatch, [*well, *badly], loki, otlp)
    trace_id = identity.of(badly[0]).trace_id

    spans = wait_for(lambda: trace(tempo, trace_id), 20)
    assert sorted(span["name"] for span in spans) == ["awf.agent.invoke"] * 2 + ["awf.step", "awf.workflow"]
    (root,) = [span for span in spans if span["name"] == "awf.workflow"]
    assert root["status"] == {"message": "provider returned 429", "code": "STATUS_CODE_ERROR"}
    assert len(root["links"]) == 1

    query = '{ span.workflow_id = "report" && name = "awf.agent.invoke" && status = error }'
    found = wait_for(lambda: httpx.get(f"{tempo}/api/search", params={"q": query}).json().get("traces"), 20)
    assert [each["traceID"].rjust(32, "0") for each in found] == [trace_id]
    genai = httpx.get(f"{tempo}/api/search", params={"q": '{ span.gen_ai.provider.name = "p1" }'}).json()[
        "traces"
    ]
    assert len(genai) == 2

    by_execution = wait_for(lambda: lines(loki, '{service_name="engine"} | execution_id="real-2"'), 20)
    assert len(by_execution) == len(badly)
    from_trace = lines(loki, f'{{service_name="engine"}} | trace_id="{trace_id}"')
    assert sorted(line for _, line in from_trace) == sorted(line for _, line in by_execution)
    span_ids = {bytes_of(span["spanId"]) for span in spans}
    assert {labels["span_id"] for labels, _ in by_execution} == span_ids
    errors = lines(loki, '{service_name="engine"} | detected_level="error" | error_type="rate_limit"')
    assert {labels["event_type"] for labels, _ in errors} == {"workflow.step.failed", "workflow.failed"}


def bytes_of(span_id: str) -> str:
    """Return hex of what Tempo's JSON has in base64."""
    import base64

    return base64.b64decode(span_id).hex()


async def test_sent_again_it_is_no_second_line_and_no_span_of_another_id(
    backends: tuple[str, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tempo, loki, otlp = backends
    events = completed("real-3")
    for _ in range(2):
        await send(monkeypatch, events, loki, otlp)
    trace_id = identity.of(events[0]).trace_id
    wait_for(lambda: len(lines(loki, '{service_name="engine"} | execution_id="real-3"')) == len(events), 20)
    wait_for(lambda: trace(tempo, trace_id), 20)
    time.sleep(3.0)  # for what comes late to be there, too
    assert len(lines(loki, '{service_name="engine"} | execution_id="real-3"')) == len(events)
    # Loki keeps one of two equal lines. Tempo keeps both copies of a span, but they are of one id and equal.
    copies = {span["spanId"]: span for span in trace(tempo, trace_id)}
    assert len(copies) == 5
    assert all(span == copies[span["spanId"]] for span in trace(tempo, trace_id))


async def test_what_backends_refuse_for_good_is_clamped_before(
    backends: tuple[str, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tempo, loki, otlp = backends
    huge = completed("real-4", steps=1)
    more = {"big": "v" * 10_000} | {f"key{number}": "v" * 100 for number in range(500)}
    huge[1:1] = [event(huge[1].type.AGENT_FAILED, "real-4", "x", error_type="e", error="long " * 100_000)]
    huge[0] = replace(huge[0], data={"attributes": more})
    await send(monkeypatch, huge, loki, otlp)
    spans = wait_for(lambda: trace(tempo, identity.of(huge[0]).trace_id), 20)
    assert len(spans) == 4
    (root,) = [span for span in spans if span["name"] == "awf.workflow"]
    assert 100 < len(root["attributes"]) <= 128
    found = wait_for(lambda: lines(loki, '{service_name="engine"} | execution_id="real-4"'), 20)
    assert len(found) == len(huge)
    assert max(len(line) for _, line in found) < 256 * 1024
    assert any("characters cut]" in line for _, line in found)
