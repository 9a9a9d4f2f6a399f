"""The telemetry bridge beside the raw OpenTelemetry SDK, each in a process of its own, into one OTLP sink.

    python tests/benchmarks/bench_exporter.py [--seconds 60] [--soak 600]

An execution's 14 events make 7 spans, 25 metric updates and 14 log records. "full events" are agent.completed
alone, 14 an execution: each makes 1 span, 7 metric updates and 1 log record. The SDK's unit is 1 span, 3 updates
and 1 log record.
Everybody goes as fast as delivery allows; then our exporter once more at 5,000 events/s, for its latency.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, TokenUsage, WorkflowId
from awf.orchestration import EventEmitter, EventType, WorkflowEvent
from awf.orchestration.otel_exporter import OTelExporter
from tests.benchmarks._measuring import Latencies, print_table
from tests.benchmarks._raw_sdk import RawSdk

METRICS = TaskMetrics(120.0, TokenUsage(900, 300), 0.004)
DATA = {"model": "gpt-large", "provider": "openai"}
WORKFLOW = WorkflowId("report")
MOST_WAITING = 50_000
RATE = 5_000


def executions() -> Iterator[WorkflowEvent]:
    """Yield the events of executions of three steps, one agent each."""
    number = 0
    while True:
        number += 1
        execution = ExecutionId(f"exe_{number:016x}")
        yield WorkflowEvent(EventType.WORKFLOW_STARTED, WORKFLOW, execution)
        for step in ("plan", "write", "check"):
            about: dict[str, Any] = {
                "step_id": StepId(step), "agent_id": AgentId(f"{step}-agent"), "framework": "python", "attempt": 1,
            }  # fmt: skip
            yield WorkflowEvent(EventType.STEP_STARTED, WORKFLOW, execution, **about)
            yield WorkflowEvent(EventType.AGENT_INVOKED, WORKFLOW, execution, **about)
            yield WorkflowEvent(
                EventType.AGENT_COMPLETED, WORKFLOW, execution, metrics=METRICS, data=DATA, **about
            )
            yield WorkflowEvent(EventType.STEP_COMPLETED, WORKFLOW, execution, metrics=METRICS, **about)
        yield WorkflowEvent(EventType.WORKFLOW_COMPLETED, WORKFLOW, execution, metrics=METRICS)


def full_events() -> Iterator[WorkflowEvent]:
    """Yield only events that make a span, metric updates and a log record each."""
    number = 0
    while True:
        number += 1
        yield WorkflowEvent(
            EventType.AGENT_COMPLETED, WORKFLOW, ExecutionId(f"exe_{number // 14:016x}"), step_id=StepId("write"),
            agent_id=AgentId("writer"), framework="python", attempt=number % 14 + 1, metrics=METRICS, data=DATA,
        )  # fmt: skip


async def ours(
    url: str,
    seconds: float,
    *,
    is_durable: bool,
    events: Callable[[], Iterator[WorkflowEvent]],
    rate: int = 0,
) -> dict[str, Any]:
    """Emit for so long; returns what it took."""
    with tempfile.TemporaryDirectory() as folder:
        exporter = OTelExporter(url, spool=Path(folder) if is_durable else None)
        emitter = EventEmitter(recorder=exporter.record)
        latencies, accepted, memory, source = Latencies(), 0, [rss_mb()], events()
        clock, begin = time.perf_counter, time.perf_counter()
        cpu = time.process_time()
        while clock() < begin + seconds:
            if rate:
                await asyncio.sleep(max(0.0, begin + accepted / rate - clock()))
            event = next(source)
            called = clock()
            accepted += await emitter.emit(event)
            latencies.add(clock() - called)
            if accepted % 1000 == 0:
                memory += [rss_mb()] if clock() - begin > len(memory) * seconds / 20 else []
                while exporter.waiting.events > MOST_WAITING:
                    await asyncio.sleep(0.005)
        await exporter.flush(60)
        took, cpu = clock() - begin, time.process_time() - cpu
        await exporter.shutdown()
    return report(accepted, took, cpu, latencies, memory)


def raw(url: str, seconds: float, *, has_large_queues: bool, unit: str) -> dict[str, Any]:
    """The SDK doing the work of an execution's events, or its own unit, without waiting for anything."""
    sdk = RawSdk(url, has_large_queues=has_large_queues)
    work = {"execution": sdk.execution, "unit": sdk.unit}[unit]
    latencies, events, memory = Latencies(), 0, [rss_mb()]
    clock, begin = time.perf_counter, time.perf_counter()
    cpu = time.process_time()
    while clock() < begin + seconds:
        called = clock()
        done = work()
        latencies.add((clock() - called) / done)
        events += done
        memory += [rss_mb()] if clock() - begin > len(memory) * seconds / 20 else []
    sdk.shutdown()
    return report(events, clock() - begin, time.process_time() - cpu, latencies, memory)


def report(events: int, took: float, cpu: float, latencies: Latencies, memory: list[float]) -> dict[str, Any]:
    settled = memory[len(memory) // 4 :]
    return {
        "events": events, "took_s": took, "cpu_us": cpu / events * 1e6, "p50": latencies.within(0.5) * 1e6,
        "p99": latencies.within(0.99) * 1e6, "max": latencies.max * 1e6,
        "rss_mb": [memory[0], min(settled), max(settled)],
    }  # fmt: skip


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


VARIANTS: dict[str, Callable[[str, float], dict[str, Any]]] = {
    "ours, durable": lambda url, s: asyncio.run(ours(url, s, is_durable=True, events=executions)),
    "ours, spool off": lambda url, s: asyncio.run(ours(url, s, is_durable=False, events=executions)),
    "ours, durable, full events": lambda url, s: asyncio.run(
        ours(url, s, is_durable=True, events=full_events)
    ),
    "SDK, same telemetry": lambda url, s: raw(url, s, has_large_queues=True, unit="execution"),
    "SDK, its unit": lambda url, s: raw(url, s, has_large_queues=True, unit="unit"),
    "SDK, its unit, default queues": lambda url, s: raw(url, s, has_large_queues=False, unit="unit"),
    "ours, durable, 5,000/s": lambda url, s: asyncio.run(
        ours(url, min(s, 20.0), is_durable=True, events=executions, rate=RATE)
    ),
}


class Sink:
    """The sink's process; `logs()` is how many log records it has, one for each event of any variant."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("_sink.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{self._read()}"

    def logs(self) -> int:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._read()["logs"])

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def measure(name: str, seconds: float) -> dict[str, Any]:
    sink = Sink()
    command = [sys.executable, __file__, "--variant", name, "--url", sink.url, "--seconds", str(seconds)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    found["delivered"] = sink.logs()
    sink.close()
    return dict(found)


def row(name: str, found: dict[str, Any], baseline: float) -> list[str]:
    rate = found["delivered"] / found["took_s"]
    first, low, high = found["rss_mb"]
    return [
        name, f"{rate:,.0f}", f"{rate / baseline:.1f} x", f"{found['cpu_us']:.1f}",
        *(f"{found[key]:,.1f}" for key in ("p50", "p99", "max")),
        f"{found['delivered']:,} of {found['events']:,}", f"{first:.0f}, {low:.0f}-{high:.0f}",
    ]  # fmt: skip


HEADER = [
    "",
    "events/s",
    "SDK same",
    "CPU us",
    "p50 us",
    "p99 us",
    "max us",
    "delivered of accepted",
    "RSS MB",
]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument(
        "--soak", type=float, default=0.0, help="instead: ours, durable, for so many seconds"
    )
    options.add_argument("--variant", help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.variant:
        print(json.dumps(VARIANTS[args.variant](args.url, args.seconds)))
        return
    if args.soak:
        found = measure("ours, durable", args.soak)
        rate = found["delivered"] / found["took_s"]
        print_table(
            f"Soak of {args.soak:g} s; RSS at first, then least-most",
            HEADER,
            [row("ours, durable", found, rate)],
        )
        return
    results = {name: measure(name, args.seconds) for name in VARIANTS}
    same = results["SDK, same telemetry"]
    baseline = same["delivered"] / same["took_s"]
    title = (
        f"{args.seconds:g} s each; latency of one emit(), of the SDK per event; RSS at first, then least-most"
    )
    print_table(title, HEADER, [row(name, found, baseline) for name, found in results.items()])


if __name__ == "__main__":
    main()
