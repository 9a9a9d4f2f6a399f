"""OTLP over gRPC against gRPC's own server: what the connection survives, and what is said when there is none."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from awf.orchestration.telemetry.endpoints import endpoint_for
from awf.orchestration.telemetry.grpc_sender import GrpcSender
from awf.orchestration.telemetry.senders import UNREACHABLE, Undelivered
from tests.collector import Collector, free_port


def sender(url: str, **more: str) -> GrpcSender:
    return GrpcSender(
        endpoint_for("traces", {f"OTEL_EXPORTER_OTLP_{k}": v for k, v in more.items()}, endpoint=url)
    )


def request(spans: int = 1, name: str = "work") -> bytes:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number in range(spans):
        scope.spans.add(name=name, trace_id=bytes(16), span_id=number.to_bytes(8, "big"))
    return message.SerializeToString()


def test_a_request_larger_than_the_servers_window_arrives_whole() -> None:
    with Collector("grpc") as collector:
        over_it = sender(collector.url)
        over_it.send(request(20_000, "n" * 100), 10)
        over_it.close()
    assert len(collector.spans) == 20_000


def test_one_connection_carries_request_after_request_with_the_endpoints_headers() -> None:
    with Collector("grpc") as collector:
        over_it = sender(collector.url, HEADERS="x-scope-orgid=t1", COMPRESSION="gzip")
        for _ in range(300):
            over_it.send(request(), 10)
        over_it.close()
    assert collector.requests["traces"] == len(collector.spans) == 300
    assert {headers["x-scope-orgid"] for headers in collector.headers} == {"t1"}


def test_a_collector_that_was_restarted_between_two_requests_is_found_at_once() -> None:
    with Collector("grpc", port=free_port()) as collector:
        over_it = sender(collector.url)
        over_it.send(request(), 10)
        collector.stop()
        with pytest.raises(Undelivered, match="unreachable"):
            over_it.send(request(), 10)
        collector.start()
        over_it.send(request(), 10)
        over_it.close()
    assert len(collector.spans) == 2


def test_a_server_that_never_answers_is_a_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Undelivered, match="timeout: DEADLINE_EXCEEDED"),
    ):
        sender(f"http://127.0.0.1:{silent.getsockname()[1]}").send(request(), 0.2)


class _Plain(BaseHTTPRequestHandler):
    """HTTP/1.1: refuses requests, and makes tunnels."""

    protocol_version = "HTTP/1.1"
    tunnelled: list[str]

    def do_CONNECT(self) -> None:
        self.tunnelled.append(self.path)
        host, _, port = self.path.partition(":")
        self.send_response(200)
        self.end_headers()
        with socket.create_connection((host, int(port))) as far:
            there = threading.Thread(target=_pour, args=(self.connection, far))
            there.start()
            _pour(far, self.connection)
            there.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # either end may go first
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def plain() -> Iterator[int]:
    _Plain.tunnelled = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Plain) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_the_port_of_otlp_over_http_is_named_as_what_it_is(plain: int) -> None:
    with pytest.raises(Undelivered, match="is this its port for OTLP over HTTP") as caught:
        sender(f"http://127.0.0.1:{plain}").send(request(), 5)
    assert caught.value.reason == UNREACHABLE


def test_a_proxy_of_the_environment_is_asked_for_a_tunnel(
    plain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{plain}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Collector("grpc") as collector:
        over_it = sender(collector.url)
        over_it.send(request(), 5)
        over_it.close()
        assert _Plain.tunnelled == [f"127.0.0.1:{collector.port}"]
    assert len(collector.spans) == 1
