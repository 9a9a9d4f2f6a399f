"""OTLP over gRPC, on a free port, driven by the SDK's own exporters and by bare calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from awf.embedded.inlet import Inlet
from awf.embedded.otlp import GrpcServer, Receiver
from awf.embedded.ports import reserve
from awf.embedded.store import MemoryStore
from awf.errors import Overloaded, PortInUse

from ._messages import NOW_NS, any_value, logs, metrics, point, span, traces

HOST = "127.0.0.1"
EXPORT = "/opentelemetry.proto.collector.{}/Export"
TRACES = EXPORT.format("trace.v1.TraceService")


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    opened = MemoryStore()
    yield opened
    opened.close()


@pytest.fixture
async def address(store: MemoryStore) -> AsyncIterator[str]:
    receiver = Receiver(inlet := Inlet(store))
    server = GrpcServer(receiver, max_body_bytes=100_000)
    yield f"{HOST}:{await server.start(HOST, 0)}"
    await server.stop(0)
    inlet.close()


async def call(address: str, method: str, body: bytes, **options: Any) -> bytes:
    async with grpc.aio.insecure_channel(address) as channel:
        return bytes(await channel.unary_unary(method)(body, timeout=10, **options))


async def test_the_three_services_store(address: str, store: MemoryStore) -> None:
    gauge = metrics({"name": "g", "gauge": {"dataPoints": [point(1.0)]}})
    record = logs({"timeUnixNano": NOW_NS, "body": any_value("x")})
    for service, message in (
        ("metrics.v1.MetricsService", gauge),
        ("logs.v1.LogsService", record),
        ("trace.v1.TraceService", traces(span())),
    ):
        assert await call(address, EXPORT.format(service), message.SerializeToString()) == b""
    stats = store.stats()
    assert (stats.samples, stats.logs, stats.spans) == (2, 1, 1)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_the_sdk_exporter_is_understood(
    address: str, store: MemoryStore, compression: grpc.Compression
) -> None:
    def export() -> None:
        provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint=address, insecure=True, compression=compression)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("awf").start_as_current_span("hello"):
            pass
        provider.shutdown()

    await asyncio.to_thread(export)
    (found,) = store.spans_of(store.traces(0, 2**62))
    assert found.name == "hello"


async def test_bytes_that_cannot_be_decoded_are_an_invalid_argument(address: str, store: MemoryStore) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(address, TRACES, b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "is not an OTLP traces request" in str(caught.value.details())
    await call(address, TRACES, traces(span()).SerializeToString())
    assert store.stats().spans == 1


async def test_refused_entries_are_told(address: str) -> None:
    answer = await call(address, TRACES, traces(span(spanId="IiI="), span()).SerializeToString())
    assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 1


async def test_a_message_over_the_limit_is_refused(address: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(address, TRACES, b"x" * 200_000)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_overload_tells_the_client_when_to_try_again() -> None:
    class FullSink:
        async def write(self, **_rows: Any) -> None:
            raise Overloaded("the store is busy")

    receiver = Receiver(inlet := Inlet(FullSink()))
    server = GrpcServer(receiver)
    port = await server.start(HOST, 0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(f"{HOST}:{port}", TRACES, traces(span()).SerializeToString())
    await server.stop(0)
    inlet.close()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
    retry = RetryInfo()
    assert details.details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 1


async def test_a_taken_port_is_named(store: MemoryStore) -> None:
    (taken,) = reserve(HOST, {"AWF_TEST": 0})
    port = taken.getsockname()[1]
    receiver = Receiver(inlet := Inlet(store))
    server = GrpcServer(receiver)
    with pytest.raises(
        PortInUse, match=rf"port {port} \(AWF_OTLP_GRPC_PORT\) is already in use on 127.0.0.1"
    ):
        await server.start(HOST, port)
    await server.stop(0)
    inlet.close()
    taken.close()
