"""`kill -9` of the embedded store while OTLP comes in, rows move into their days and days are dropped."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import grpc
import httpx
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from awf.embedded.store.layout import NS_PER_DAY
from awf.embedded.store.schema import connect

from ._harness import by_form

PROGRAM = Path(__file__).with_name("_receiver.py")
SIGNALS = ("metrics", "logs", "traces")
SERVICES = {
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}
BATCH = 20
OLD = 5 * NS_PER_DAY  # what is this old is dropped at the next sweep
Send = Callable[[str, Message], None]


def request(signal: str, protocol: str, number: int) -> Message:
    """Return a request of BATCH entries that carry `number` and those after it, and one that is old."""
    now = time.time_ns()
    entries = [(number + each, now + each * 1_000_000) for each in range(BATCH)] + [(number, now - OLD)]
    if signal == "metrics":
        metrics = ExportMetricsServiceRequest()
        gauge = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name=f"m_{protocol}").gauge
        for value, at in entries:
            gauge.data_points.add(time_unix_nano=at, as_double=value)
        return metrics
    if signal == "logs":
        logs = ExportLogsServiceRequest()
        records = logs.resource_logs.add().scope_logs.add().log_records
        for value, at in entries:
            records.add(time_unix_nano=at).body.string_value = f"{protocol} {value}"
        return logs
    traces = ExportTraceServiceRequest()
    spans = traces.resource_spans.add().scope_spans.add().spans
    for value, at in entries:
        spans.add(
            trace_id=(value + 1).to_bytes(16, "big"), span_id=(value + 1).to_bytes(8, "big"), name=protocol,
            start_time_unix_nano=at, end_time_unix_nano=at + 1,
        )  # fmt: skip
    return traces


class Sender(threading.Thread):
    """Sends until the store is gone, one signal after the other; `accepted` numbers were answered."""

    def __init__(self, protocol: str, port: int, first: int) -> None:
        super().__init__(daemon=True)
        self.protocol, self.port, self.number = protocol, port, first
        self.accepted: set[tuple[str, int]] = set()

    def run(self) -> None:
        with suppress(httpx.HTTPError, grpc.RpcError):
            self._http() if self.protocol == "http" else self._grpc()

    def _http(self) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:

            def send(signal: str, message: Message) -> None:
                headers = {"Content-Type": "application/x-protobuf"}
                body = message.SerializeToString()
                assert client.post(f"/v1/{signal}", content=body, headers=headers).status_code == 200

            self._send(send)

    def _grpc(self) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            calls = {signal: channel.unary_unary(path) for signal, path in SERVICES.items()}
            self._send(lambda signal, message: calls[signal](message.SerializeToString(), timeout=30))

    def _send(self, send: Send) -> None:
        while True:
            for signal in SIGNALS:
                send(signal, request(signal, self.protocol, self.number))
                self.accepted |= {(signal, self.number + each) for each in range(BATCH)}
            self.number += BATCH


def stored(path: Path, protocol: str) -> dict[str, list[int]]:
    """Return the numbers of the rows that are not old, as often as they are there."""
    since = time.time_ns() - NS_PER_DAY
    connection = connect(path, 256)
    queries = {
        "metrics": f"select value from samples join series on id = sid where contains(labels, 'm_{protocol}')"
        f" and ts > {since // 1_000_000}",
        "logs": f"select split_part(line, ' ', 2)::integer from logs where starts_with(line, '{protocol} ')"
        f" and ts > {since}",
        "traces": f"select ('0x' || span_id)::bigint - 1 from spans where name = '{protocol}'"
        f" and start_ns > {since}",
    }
    found = {
        signal: [int(row[0]) for row in connection.execute(query).fetchall()]
        for signal, query in queries.items()
    }
    connection.close()
    return found


def test_kill_9_at_random_moments_loses_and_doubles_nothing_that_was_accepted(tmp_path: Path) -> None:
    kills, longest_s, seed = by_form(4, 20), by_form(1.5, 6.0), random.randrange(1 << 30)
    print("seed", seed)
    chance, path = random.Random(seed), tmp_path / "t.duckdb"
    accepted: dict[str, set[tuple[str, int]]] = {"http": set(), "grpc": set()}
    first = dict.fromkeys(accepted, 0)
    for _ in range(kills):
        with subprocess.Popen([sys.executable, PROGRAM, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            ports = dict(zip(("http", "grpc"), json.loads(process.stdout.readline()), strict=True))
            senders = [Sender(protocol, port, first[protocol]) for protocol, port in ports.items()]
            for sender in senders:
                sender.start()
            time.sleep(chance.uniform(0.2, longest_s))
            process.kill()
        for sender in senders:
            sender.join(30)
            assert not sender.is_alive()
            accepted[sender.protocol] |= sender.accepted
            first[sender.protocol] = sender.number + BATCH
    for protocol, wanted in accepted.items():
        assert len(wanted) > kills * BATCH
        for signal, numbers in stored(path, protocol).items():
            assert {number for kind, number in wanted if kind == signal} <= set(numbers)
            assert len(numbers) == len(set(numbers))
    print("accepted", sum(map(len, accepted.values())))
