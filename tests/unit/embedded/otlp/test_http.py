"""OTLP over HTTP, in process."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from awf.embedded.inlet import Inlet
from awf.embedded.otlp import Receiver, create_app
from awf.embedded.store import MemoryStore
from awf.errors import Overloaded, Unavailable

from ._messages import NOW_NS, any_value, logs, metrics, point, span, traces

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
GAUGE = metrics({"name": "g", "gauge": {"dataPoints": [point(1.0)]}}).SerializeToString()

MakeClient = Callable[..., httpx.AsyncClient]


@pytest.fixture
def store() -> Any:
    opened = MemoryStore()
    yield opened
    opened.close()


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    clients: list[httpx.AsyncClient] = []

    def make(sink: Any, **options: Any) -> httpx.AsyncClient:
        app = create_app(Receiver(Inlet(sink, now_ns=lambda: NOW_NS)), **options)
        clients.append(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:4318")
        )
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


class RefusingSink:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def write(self, **_rows: Any) -> None:
        raise self.error


async def test_all_three_signals_are_stored_before_the_answer(
    store: MemoryStore, make_client: MakeClient
) -> None:
    client = make_client(store)
    bodies = {
        "metrics": GAUGE,
        "logs": logs({"timeUnixNano": NOW_NS, "body": any_value("x")}).SerializeToString(),
        "traces": traces(span()).SerializeToString(),
    }
    for signal, body in bodies.items():
        response = await client.post(f"/v1/{signal}", content=body, headers=PROTOBUF)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"] == "application/x-protobuf"
    stats = store.stats()
    assert (stats.samples, stats.logs, stats.spans) == (2, 1, 1)  # the gauge and target_info


async def test_json_has_hex_ids_and_is_answered_in_json(store: MemoryStore, make_client: MakeClient) -> None:
    wire = {**span(), "traceId": "AB" * 16, "spanId": "cd" * 8, "unknownField": 1}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [wire]}]}]}
    response = await make_client(store).post("/v1/traces", json=body)
    assert (response.status_code, response.json()) == (200, {})
    assert [found.span_id for found in store.trace("ab" * 16)] == ["cd" * 8]


async def test_gzip_is_unpacked(store: MemoryStore, make_client: MakeClient) -> None:
    headers = {**PROTOBUF, "Content-Encoding": "gzip"}
    response = await make_client(store).post("/v1/metrics", content=gzip.compress(GAUGE), headers=headers)
    assert response.status_code == 200
    assert store.stats().samples == 2


async def test_what_is_refused_is_told_and_the_rest_is_stored(
    store: MemoryStore, make_client: MakeClient
) -> None:
    delta = {"name": "d", "sum": {"aggregationTemporality": 1, "dataPoints": [point(1.0)]}}
    good = {"name": "g", "gauge": {"dataPoints": [point(1.0)]}}
    body = metrics(delta, good, resource={}).SerializeToString()
    response = await make_client(store).post("/v1/metrics", content=body, headers=PROTOBUF)
    partial = ExportMetricsServiceResponse.FromString(response.content).partial_success
    assert response.status_code == 200
    assert partial.rejected_data_points == 1
    assert partial.error_message == "metric 'd': delta temporality is not supported"
    assert store.stats().samples == 1


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"\xff\xff", PROTOBUF, 400, "is not an OTLP metrics request"),
        (b"{", JSON, 400, "is not an OTLP metrics request"),
        (b"[]", JSON, 400, "is not an OTLP metrics request"),
        (b'{"resourceMetrics": 3}', JSON, 400, "is not an OTLP metrics request"),
        (b'{"resourceMetrics": [{"schemaUrl": "\\ud800"}]}', JSON, 400, "is not an OTLP metrics request"),
        (b"[" * 100_000, JSON, 400, "is not an OTLP metrics request"),
        (b"plain", {**PROTOBUF, "Content-Encoding": "gzip"}, 400, "is not gzip"),
        (gzip.compress(GAUGE)[:-9], {**PROTOBUF, "Content-Encoding": "gzip"}, 400, "ends too early"),
        (b"", {"Content-Type": "text/plain"}, 415, "Content-Type is 'text/plain'"),
        (b"", {**PROTOBUF, "Content-Encoding": "br"}, 415, "Content-Encoding is 'br'"),
        (b"x" * 150_001, PROTOBUF, 413, "over 150000 bytes"),
        (
            gzip.compress(b"x" * 10_000_000),
            {**PROTOBUF, "Content-Encoding": "gzip"},
            413,
            "over 150000 bytes",
        ),
    ],
)
async def test_bad_requests_say_why_and_store_nothing(
    store: MemoryStore,
    make_client: MakeClient,
    content: bytes,
    headers: dict[str, str],
    status: int,
    reason: str,
) -> None:
    client = make_client(store, max_body_bytes=150_000)
    response = await client.post("/v1/metrics", content=content, headers=headers)
    assert response.status_code == status
    kind = headers["Content-Type"]
    is_protobuf = kind == PROTOBUF["Content-Type"]
    message = Status.FromString(response.content).message if is_protobuf else response.json()["message"]
    assert reason in message
    assert store.stats().samples == 0


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(Overloaded("the store is busy"), 429, 8), (Unavailable("the disk is full"), 503, 14)],
)
async def test_what_may_be_sent_again_says_so(
    make_client: MakeClient, error: Exception, status: int, code: int
) -> None:
    response = await make_client(RefusingSink(error)).post("/v1/metrics", content=GAUGE, headers=PROTOBUF)
    assert response.status_code == status
    assert response.headers["retry-after"] == "1"
    assert Status.FromString(response.content).code == code


async def test_too_many_bytes_under_way_are_refused(store: MemoryStore) -> None:
    release = asyncio.Event()

    class SlowSink:
        async def write(self, **_rows: Any) -> None:
            await release.wait()

    inlet = Inlet(SlowSink(), now_ns=lambda: NOW_NS, max_bytes_in_flight=len(GAUGE) + 1)
    app = create_app(Receiver(inlet))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:4318"
    ) as client:
        first = asyncio.create_task(client.post("/v1/metrics", content=GAUGE, headers=PROTOBUF))
        while not inlet.bytes_in_flight:
            await asyncio.sleep(0)
        refused = await client.post("/v1/metrics", content=GAUGE, headers=PROTOBUF)
        assert refused.status_code == 429
        release.set()
        assert (await first).status_code == 200
        assert (await client.post("/v1/metrics", content=GAUGE, headers=PROTOBUF)).status_code == 200
    inlet.close()


async def test_other_methods_and_paths_are_not_served(store: MemoryStore, make_client: MakeClient) -> None:
    client = make_client(store)
    assert (await client.get("/v1/metrics")).status_code == 405
    assert (await client.post("/v1/profiles", content=json.dumps({}), headers=JSON)).status_code == 404
