"""A sender in a process of its own: encodes everything, says so, and sends when it is told to.

python _load.py KIND COUNT TRANSPORT ADDRESS; prints `ready`, waits for a line, prints its result as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import httpx
from _payloads import KINDS, POINTS, SERIES, Payload

LANES = SERIES // POINTS  # requests under way; each has series of its own, so that times ascend
SIGNALS = {"samples": "metrics", "histograms": "metrics", "lines": "logs", "spans": "traces"}
SERVICES = {
    "metrics": "metrics.v1.MetricsService",
    "logs": "logs.v1.LogsService",
    "traces": "trace.v1.TraceService",
}
OTLP = {"Content-Type": "application/x-protobuf"}
REMOTE_WRITE = {**OTLP, "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}

Send = Callable[[bytes], Awaitable[None]]


class Load:
    """Another process that sends; `rows` and `seconds` are there after `run`."""

    def __init__(self, kind: str, count: int, transport: str, address: str) -> None:
        command = [sys.executable, __file__, kind, str(count), transport, address]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def run(self) -> dict[str, Any]:
        """Send all of it; returns rows, seconds and how many requests were refused for a while."""
        text, problems = self._process.communicate("go\n")
        assert self._process.returncode == 0, problems
        result: dict[str, Any] = json.loads(text)
        return result

    def run_until_it_fails(self) -> None:
        """Send all of it, or as much as there is a server for."""
        self._process.communicate("go\n")


async def send_all(payloads: list[Payload], send: Send) -> list[float]:
    """Send all, in lanes; return how long each waited for its answer, in seconds, ascending."""
    waits = []

    async def sender(lane: int) -> None:
        for _, body in payloads[lane::LANES]:
            began = time.perf_counter()
            await send(body)
            waits.append(time.perf_counter() - began)

    await asyncio.gather(*map(sender, range(LANES)))
    return sorted(waits)


async def _main(kind: str, count: int, transport: str, address: str) -> dict[str, Any]:
    payloads = list(KINDS[kind](count))
    print("ready", flush=True)
    sys.stdin.readline()
    retries = 0

    async def over_grpc() -> list[float]:
        nonlocal retries
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.unary_unary(f"/opentelemetry.proto.collector.{SERVICES[SIGNALS[kind]]}/Export")

            async def send(body: bytes) -> None:
                nonlocal retries
                while True:
                    try:
                        answer = await call(body)
                    except grpc.aio.AioRpcError as error:
                        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                            raise
                        retries += 1
                        await asyncio.sleep(0.02)
                        continue
                    assert not answer, answer
                    return

            return await send_all(payloads, send)

    async def over_http() -> list[float]:
        nonlocal retries
        url, headers = f"{address}/v1/{SIGNALS.get(kind)}", OTLP
        if kind == "remote":
            url, headers = f"{address}/api/v1/write", REMOTE_WRITE
        async with httpx.AsyncClient(timeout=60) as client:

            async def send(body: bytes) -> None:
                nonlocal retries
                while (response := await client.post(url, content=body, headers=headers)).status_code in (
                    429,
                    503,
                ):
                    retries += 1
                    await asyncio.sleep(0.02)
                assert response.status_code in (200, 204), response.text
                assert not response.content, response.text

            return await send_all(payloads, send)

    began = time.perf_counter()
    waits = await (over_grpc if transport == "gRPC" else over_http)()
    seconds = time.perf_counter() - began
    return {
        "rows": sum(rows for rows, _ in payloads), "seconds": seconds, "retries": retries,
        "p50_ms": waits[len(waits) // 2] * 1e3, "p99_ms": waits[len(waits) * 99 // 100] * 1e3,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))), flush=True)
