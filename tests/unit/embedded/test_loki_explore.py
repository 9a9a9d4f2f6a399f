"""What Grafana's Explore and Logs Drilldown ask: volumes over time, and tail."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from awf.embedded.logql import Engine
from awf.embedded.loki_api import create_app
from awf.embedded.loki_tail import Follower
from awf.embedded.store import MemoryStore
from awf.embedded.web import WebServers

from .logql._memory import MINUTE, SECOND, T0, MemoryLogs, demo_records, record

SELECT = '{service_name="awf-demo"}'
RANGE = {"start": str(T0), "end": str(T0 + 5 * MINUTE)}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    lines = [
        record(1, '{"status": 200, "took": "15ms", "user": {"name": "ann"}}', agent_id="a", run="7"),
        record(2, 'size=2KiB ok=true ratio=0.5 msg="x y"', agent_id="b"),
        record(3, "[1] no fields"),
    ]
    reader = MemoryLogs([*lines, record(200, "later", level="error")])
    transport = httpx.ASGITransport(create_app(Engine(reader), reader, None))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://loki/loki/api/v1") as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **params: str) -> Any:
    answer = await client.get(path, params=RANGE | params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_volume_over_time_has_a_value_for_each_bucket(client: httpx.AsyncClient) -> None:
    found = (await get(client, "/index/volume_range", query=SELECT, step="60", targetLabels="level"))["data"]
    assert found["resultType"] == "matrix"
    by_level = {row["metric"]["level"]: row["values"] for row in found["result"]}
    base = T0 // SECOND
    assert by_level["error"] == [[base + 240 - 0.001, "5"]]
    assert [at for at, _ in by_level["info"]] == [base + 60 - 0.001]


async def test_stats_count_streams_entries_and_bytes(client: httpx.AsyncClient) -> None:
    assert await get(client, "/index/stats", query=SELECT) == {
        "streams": 2, "chunks": 2, "entries": 4, "bytes": 111,
    }  # fmt: skip


def test_a_follower_sends_the_past_once_and_then_what_arrives_even_if_late() -> None:
    reader = MemoryLogs(demo_records())
    follower = Follower(Engine(reader), SELECT + '|= "failed"', T0, limit=2)

    def lines(now_s: int) -> list[int]:
        streams = follower.next(T0 + now_s * SECOND)
        return sorted((int(at) - T0) // SECOND for stream in streams for at, _ in stream["values"])

    assert lines(110) == [80, 110]
    assert lines(111) == []
    reader.records += [
        record(112, "failed again"),
        record(100, "failed, told late"),
        record(20, "failed long ago"),
    ]
    assert lines(113) == [100, 112]
    assert lines(114) == []


def test_a_delay_holds_entries_back() -> None:
    follower = Follower(Engine(MemoryLogs([record(10, "x")])), SELECT, T0, limit=10, delay_ns=5 * SECOND)
    assert follower.next(T0 + 14 * SECOND) == []
    assert len(follower.next(T0 + 15 * SECOND)) == 1


async def test_tail_sends_over_a_real_websocket() -> None:
    store, servers = MemoryStore(), WebServers()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        await servers.start(create_app(Engine(store), store, store), sock)
        url = f"ws://127.0.0.1:{sock.getsockname()[1]}/loki/api/v1/tail"
        try:
            async with connect(f"{url}?query=%7Bapp%3D%22x%22%7D") as tail:
                body = {"streams": [{"stream": {"app": "x"}, "values": [[_now_ns(), "hello"]]}]}
                async with httpx.AsyncClient() as http:
                    answer = await http.post(url.replace("ws:", "http:").replace("tail", "push"), json=body)
                assert answer.status_code == 204
                frame = json.loads(await asyncio.wait_for(tail.recv(), 20))
                assert frame["streams"][0]["stream"] == {"app": "x"}
                assert frame["streams"][0]["values"][0][1] == "hello"
            async with connect(f"{url}?query=%7Bapp") as tail:
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(tail.recv(), 20)
            assert "parse error" in str(closed.value)
        finally:
            await servers.stop()
            store.close()


def _now_ns() -> str:
    return str(time.time_ns())
