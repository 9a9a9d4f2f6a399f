"""What the watcher's eyes promise, through the real mcp-grafana and the embedded Grafana, over both transports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from awf.agents import _mcp_tools as tools
from awf.agents.toolbox import GrafanaMCPClient, McpServer
from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from awf.errors import Forbidden, NotFound, QueryError
from tests.mcp_grafana import COMMAND, McpGrafana

GRAFANA_TOKEN, READ_TOKEN, WRITE_TOKEN = "token of grafana", "token to read", "token to annotate"
TRACE = "ab" * 16


@pytest.fixture
async def grafana(tmp_path: Path) -> AsyncIterator[str]:
    """The embedded backend with a counter, a log line and a trace; yields the address of its Grafana."""
    (tmp_path / "rules").mkdir()
    server = EmbeddedServer(
        EmbeddedConfig(
            data_dir=tmp_path / "data", rules_dir=tmp_path / "rules", ports=Ports(0, 0, 0, 0, 0, 0),
            grafana_token=GRAFANA_TOKEN,
        )
    )  # fmt: skip
    await server.start()
    try:
        await _fill(server.addresses["otlp_http"])
        yield server.addresses["grafana"]
    finally:
        await server.stop()


async def _fill(url: str) -> None:
    now = str(time.time_ns())
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "demo"}}]}
    total = {
        "isMonotonic": True, "aggregationTemporality": 2, "dataPoints": [{"timeUnixNano": now, "asInt": "7"}]
    }  # fmt: skip
    record = {
        "timeUnixNano": now, "severityNumber": 17, "body": {"stringValue": "it broke"},
        "attributes": [{"key": "agent_id", "value": {"stringValue": "writer"}}],
    }  # fmt: skip
    span = {
        "traceId": TRACE, "spanId": "cd" * 8, "name": "work", "kind": 1, "startTimeUnixNano": now, "endTimeUnixNano": now
    }  # fmt: skip
    bodies: dict[str, Any] = {
        "metrics": {"resourceMetrics": [{"resource": resource, "scopeMetrics": [
            {"metrics": [{"name": "demo_requests_total", "sum": total}]}]}]},
        "logs": {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]},
        "traces": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]},
    }  # fmt: skip
    async with httpx.AsyncClient(timeout=10) as http:
        for signal, body in bodies.items():
            assert (await http.post(f"{url}/v1/{signal}", json=body)).status_code == 200


@pytest.fixture(params=["stdio", "http"])
async def box(request: pytest.FixtureRequest, grafana: str) -> AsyncIterator[GrafanaMCPClient]:
    async with AsyncExitStack() as opened:
        servers = {}
        if request.param == "http":
            for name, flags, token in (
                ("read", tools.READ_FLAGS, READ_TOKEN), ("annotate", tools.WRITE_FLAGS, WRITE_TOKEN)
            ):  # fmt: skip
                server = McpGrafana(grafana, flags=flags, token=token, grafana_token=GRAFANA_TOKEN)
                await opened.enter_async_context(server)
                servers[name] = McpServer(server.url, lambda token=token: token, f"AWF_MCP_{name.upper()}")  # type: ignore[misc]
        client = GrafanaMCPClient(grafana, token=GRAFANA_TOKEN, command=COMMAND, servers=servers)
        yield await opened.enter_async_context(client)


def _window() -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"start": now - timedelta(minutes=5), "end": now + timedelta(seconds=5)}


async def test_an_instant_query_returns_samples_with_their_labels(box: GrafanaMCPClient) -> None:
    (sample,) = await box.instant("demo_requests_total", at=datetime.now(UTC))
    assert (sample.labels["job"], sample.value) == ("demo", 7.0)


async def test_a_range_query_returns_points(box: GrafanaMCPClient) -> None:
    (series,) = await box.range("demo_requests_total", **_window(), step_s=5)
    assert series.points[-1][1] == 7.0


async def test_logs_come_with_their_structured_metadata(box: GrafanaMCPClient) -> None:
    (line,) = await box.logs('{service_name="demo"}', **_window())
    assert (line.line, line.labels["agent_id"], line.labels["service_name"]) == ("it broke", "writer", "demo")


async def test_traces_are_found_and_read(box: GrafanaMCPClient) -> None:
    (found,) = await box.traces('{ name = "work" }', **_window())
    assert found["traceID"] == TRACE
    assert "work" in str(await box.trace(TRACE))


async def test_nothing_found_is_empty_and_no_error(box: GrafanaMCPClient) -> None:
    assert await box.instant("no_such_metric", at=datetime.now(UTC)) == []
    assert await box.range("no_such_metric", **_window(), step_s=5) == []
    assert await box.logs('{service_name="nobody"}', **_window()) == []
    assert await box.traces('{ name = "nothing" }', **_window()) == []
    assert await box.annotations(**_window(), tags=["nothing"]) == []


async def test_an_annotation_that_was_written_is_listed(box: GrafanaMCPClient) -> None:
    written = await box.annotate("switched", tags=["awf", "remediation"], at=datetime.now(UTC))
    (found,) = await box.annotations(**_window(), tags=["awf", "remediation"])
    assert (str(found["id"]), found["text"]) == (written, "switched")


async def test_a_query_that_is_none_is_a_query_error(box: GrafanaMCPClient) -> None:
    with pytest.raises(QueryError):
        await box.instant("sum(", at=datetime.now(UTC))
    with pytest.raises(QueryError):
        await box.logs("{", **_window())


async def test_a_trace_that_does_not_exist_is_not_found(box: GrafanaMCPClient) -> None:
    with pytest.raises(NotFound):
        await box.trace("ef" * 16)


async def test_many_calls_at_once_are_all_answered(box: GrafanaMCPClient) -> None:
    now = datetime.now(UTC)
    found = await asyncio.gather(*(box.instant(f"demo_requests_total * {n}", at=now) for n in range(30)))
    assert [samples[0].value for samples in found] == [7.0 * n for n in range(30)]


async def test_neither_side_can_call_what_belongs_to_the_other(box: GrafanaMCPClient) -> None:
    with pytest.raises(Forbidden, match="create_annotation"):
        await box._reader.call(tools.CREATE_ANNOTATION, {"text": "x", "tags": [], "time": 0})
    with pytest.raises(Forbidden, match="query_prometheus"):
        await box._writer.call(tools.QUERY_METRICS, {})
    with pytest.raises(Forbidden, match="delete_annotation"):
        await box._writer.call(tools.Tool("delete_annotation", ("id",)), {"id": 1})
