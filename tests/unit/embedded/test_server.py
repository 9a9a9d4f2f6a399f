"""The whole embedded backend in one process: OTLP in, every query API out, rules, Grafana's face."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from awf.embedded.ports import reserve
from awf.embedded.server import STORE_FILE, EmbeddedConfig, EmbeddedServer, Ports
from awf.embedded.store import DuckStore
from awf.errors import ConfigError, DataDirError, PortInUse

FREE = Ports(0, 0, 0, 0, 0, 0)
RECORDING = """
groups:
  - name: demo
    interval: 1s
    rules:
      - record: demo:requests:sum
        expr: sum(demo_requests_total)
"""


@pytest.fixture
def config(tmp_path: Path) -> EmbeddedConfig:
    rules = tmp_path / "rules"
    (rules / "recording").mkdir(parents=True)
    (rules / "recording" / "demo.yaml").write_text(RECORDING)
    return EmbeddedConfig(data_dir=tmp_path / "data", rules_dir=rules, ports=FREE, rule_interval_s=0.2)


@pytest.fixture
async def server(config: EmbeddedConfig) -> AsyncIterator[EmbeddedServer]:
    opened = EmbeddedServer(config)
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as opened:
        yield opened


async def send_everything(client: httpx.AsyncClient, url: str) -> None:
    now = str(time.time_ns())
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "demo"}}]}
    points = [{"timeUnixNano": now, "asInt": "7"}]
    total = {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": points}
    bodies: dict[str, Any] = {
        "metrics": {"resourceMetrics": [{"resource": resource, "scopeMetrics": [
            {"metrics": [{"name": "demo_requests_total", "sum": total}]}]}]},
        "logs": {"resourceLogs": [{"resource": resource, "scopeLogs": [
            {"logRecords": [{"timeUnixNano": now, "severityNumber": 17, "body": {"stringValue": "it broke"}}]}]}]},
        "traces": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [
            {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "work", "kind": 1,
             "startTimeUnixNano": now, "endTimeUnixNano": now}]}]}]},
    }  # fmt: skip
    for signal, body in bodies.items():
        response = await client.post(f"{url}/v1/{signal}", json=body)
        assert (response.status_code, response.json()) == (200, {}), signal


async def test_what_comes_in_by_otlp_is_answered_by_every_api(
    server: EmbeddedServer, client: httpx.AsyncClient
) -> None:
    at = server.addresses
    await send_everything(client, at["otlp_http"])
    prometheus = f"{at['mimir']}/prometheus/api/v1/query"
    found = (await client.get(prometheus, params={"query": "demo_requests_total"})).json()
    assert found["data"]["result"][0]["metric"] == {"__name__": "demo_requests_total", "job": "demo"}
    assert found["data"]["result"][0]["value"][1] == "7"

    query = {"query": '{service_name="demo", level="error"}'}
    streams = (await client.get(f"{at['loki']}/loki/api/v1/query_range", params=query)).json()
    assert streams["data"]["result"][0]["values"][0][1] == "it broke"

    traces = (await client.get(f"{at['tempo']}/api/search", params={"q": '{ name = "work" }'})).json()
    assert traces["traces"][0]["traceID"] == "ab" * 16
    assert (await client.get(f"{at['tempo']}/api/v2/traces/{'ab' * 16}")).status_code == 200

    sources = (await client.get(f"{at['grafana']}/api/datasources")).json()
    assert {source["uid"] for source in sources} == {"mimir", "loki", "tempo"}
    through = f"{at['grafana']}/api/datasources/proxy/uid/mimir/api/v1/query"
    again = (await client.get(through, params={"query": "demo_requests_total"})).json()
    assert again["data"]["result"][0]["value"][1] == "7"


async def test_the_ruler_records_what_is_stored(server: EmbeddedServer, client: httpx.AsyncClient) -> None:
    await send_everything(client, server.addresses["otlp_http"])
    url = f"{server.addresses['mimir']}/prometheus/api/v1/query"
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(url, params={"query": "demo:requests:sum"})).json()["data"]["result"]
            if found:
                break
            await asyncio.sleep(0.1)
    assert found[0]["value"][1] == "7"


async def test_every_face_checks_the_host_header(server: EmbeddedServer, client: httpx.AsyncClient) -> None:
    for name in ("grafana", "mimir", "loki", "tempo", "otlp_http"):
        response = await client.get(f"{server.addresses[name]}/ready", headers={"Host": "evil.example"})
        assert response.status_code == 403, name


async def test_grafana_takes_no_writes_without_a_token(
    server: EmbeddedServer, client: httpx.AsyncClient
) -> None:
    response = await client.post(f"{server.addresses['grafana']}/api/annotations", json={"text": "x"})
    assert response.status_code == 401


async def test_stopping_closes_the_ports_and_a_second_start_finds_the_data(
    config: EmbeddedConfig, client: httpx.AsyncClient
) -> None:
    first = EmbeddedServer(config)
    await first.start()
    await send_everything(client, first.addresses["otlp_http"])
    await first.stop()
    with pytest.raises(httpx.ConnectError):
        await client.get(f"{first.addresses['loki']}/ready")

    second = EmbeddedServer(config)
    await second.start()
    found = await client.get(f"{second.addresses['tempo']}/api/v2/traces/{'ab' * 16}")
    assert found.status_code == 200
    await second.stop()


async def test_stopping_does_not_wait_for_idle_or_slow_clients(config: EmbeddedConfig) -> None:
    server = EmbeddedServer(config)
    await server.start()
    connections = [
        await asyncio.open_connection("127.0.0.1", server.ports.loki),
        await asyncio.open_connection("127.0.0.1", server.ports.otlp_http),
    ]
    _, writer = connections[1]
    writer.write(b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
    writer.write(b"Content-Length: 1000\r\n\r\n{")
    await writer.drain()
    async with asyncio.timeout(10):
        await server.stop()
    for _, writer in connections:
        writer.close()


async def test_a_taken_port_is_said_before_anything_is_opened(config: EmbeddedConfig) -> None:
    (taken,) = reserve("127.0.0.1", {"A": 0})
    ports = Ports(0, 0, 0, 0, taken.getsockname()[1], 0)
    server = EmbeddedServer(EmbeddedConfig(data_dir=config.data_dir, rules_dir=config.rules_dir, ports=ports))
    with pytest.raises(PortInUse, match="AWF_OTLP_GRPC_PORT"):
        await server.start()
    assert not config.data_dir.exists()
    taken.close()


async def test_a_failed_start_leaves_nothing_open(config: EmbeddedConfig) -> None:
    (config.rules_dir / "recording" / "demo.yaml").write_text("groups: 3")
    server = EmbeddedServer(config)
    with pytest.raises(ConfigError):
        await server.start()
    DuckStore.open(config.data_dir / STORE_FILE).close()
    for sock in reserve("127.0.0.1", {"A": server.ports.grafana, "B": server.ports.otlp_grpc}):
        sock.close()


async def test_a_data_directory_that_cannot_be_used_is_named(config: EmbeddedConfig) -> None:
    config.data_dir.write_text("in the way")
    with pytest.raises(DataDirError, match=str(config.data_dir)):
        await EmbeddedServer(config).start()
