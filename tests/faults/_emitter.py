"""A program that emits events through an exporter until it is done or killed: `python _emitter.py JSON`.

It writes down each event that was accepted after `emit` returned, and at its end how it went. The settings
are those of `_harness.Plan`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from array import array
from typing import Any

PLAN: dict[str, Any] = json.loads(sys.argv[1])
real_time_ns, began = time.time_ns, time.monotonic()


def stepped_time_ns() -> int:
    """Return the time of a clock that is set forward or back while the program runs."""
    passed_s = time.monotonic() - began
    return real_time_ns() + sum(int(by_s * 1e9) for at_s, by_s in PLAN["clock"] if passed_s >= at_s)


if PLAN["clock"]:
    # Before AWF is imported: it then sees no other clock.
    time.time_ns = stepped_time_ns
    time.time = lambda: stepped_time_ns() / 1e9

import asyncio  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, TokenUsage, WorkflowId  # noqa: E402
from awf.orchestration import EventEmitter, EventType, WorkflowEvent  # noqa: E402
from awf.orchestration.otel_exporter import OTelExporter, SpoolOptions  # noqa: E402
from awf.orchestration.telemetry import housekeeping, orphans, pipeline  # noqa: E402

E = EventType
GOOD = (E.WORKFLOW_STARTED, E.STEP_STARTED, E.AGENT_INVOKED,
        E.AGENT_COMPLETED, E.STEP_COMPLETED, E.WORKFLOW_COMPLETED)  # fmt: skip
BAD = (*GOOD[:3], E.AGENT_FAILED, E.STEP_FAILED, E.WORKFLOW_FAILED)
AT_ONCE = 40  # executions, so that a kill finds many spans open
METRICS = TaskMetrics(120.0, TokenUsage(900, 300), 0.004, 1)


def events(first: int) -> Iterator[WorkflowEvent]:
    """Yield the events of an endless sequence from one of them on."""
    number = first
    while True:
        block, rest = divmod(number, AT_ONCE * len(GOOD))
        kind, execution = divmod(rest, AT_ONCE)
        execution += block * AT_ONCE
        yield event((BAD if execution % 10 == 9 else GOOD)[kind], f"x{execution}")
        number += 1


def event(kind: EventType, execution: str) -> WorkflowEvent:
    more: dict[str, Any] = {}
    if not kind.value.startswith("workflow.") or "step" in kind.value:
        more = {"step_id": StepId("s"), "agent_id": AgentId("writer"), "framework": "python", "attempt": 1}
    if kind.value.endswith((".completed", ".failed")):
        more["metrics"] = METRICS
    if kind.value.endswith(".failed"):
        more |= {"error_type": "rate_limit", "error": "provider returned 429"}
    return WorkflowEvent(kind, WorkflowId("report"), ExecutionId(execution), **more)


async def emit_all(emitter: EventEmitter, exporter: OTelExporter, report: dict[str, Any]) -> None:
    """Emit at the wished rate; the clock of the computer decides, not the one that is stepped."""
    accepted = os.open(PLAN["accepted"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    stop = Path(PLAN["accepted"]).with_suffix(".stop")
    took_us, refused, deepest, begin = array("f"), 0, 0, time.monotonic()
    for number, it in enumerate(events(PLAN["first"])):
        if number == (PLAN["count"] or -1) or (number % 50 == 0 and stop.exists()):
            break
        late_s = time.monotonic() - begin - number / PLAN["rate"]
        if late_s < -0.002:
            await asyncio.sleep(-late_s)
        before = time.perf_counter()
        is_taken = await emitter.emit(it)
        took_us.append((time.perf_counter() - before) * 1e6)
        if is_taken:
            line = f"{it.execution_id} {it.type.value} {it.step_id or '-'} {it.attempt} {it.time_ns}\n"
            os.write(accepted, line.encode())
        refused += not is_taken
        if number % 100 == 0 and exporter._open is not None:
            deepest = max(deepest, exporter._open.backlog.depth().events)
        if number + 1 in PLAN["weigh_at"]:
            report.setdefault("weights", []).append(resident_bytes())
    report |= {"refused": refused, "deepest": deepest, "p99_us": sorted(took_us)[int(len(took_us) * 0.99)]}


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main() -> None:
    if PLAN["file_size"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (PLAN["file_size"], resource.RLIM_INFINITY))
    if PLAN["snapshot_s"]:
        pipeline.SNAPSHOT_S = PLAN["snapshot_s"]  # a short test has no time for the usual interval
    if PLAN["orphan_s"]:
        housekeeping.LOOK_S = orphans.ORPHAN_AFTER_S = PLAN["orphan_s"]
    spool = SpoolOptions(Path(PLAN["spool"]), **PLAN["options"]) if PLAN["spool"] else None
    exporter = OTelExporter(PLAN["endpoint"], protocol=PLAN["protocol"], service_name="engine", spool=spool)
    if PLAN["memory_bytes"] and exporter._open is not None:
        exporter._open.backlog.max_bytes = PLAN["memory_bytes"]
    report: dict[str, Any] = {"refused": 0}
    Path(PLAN["accepted"]).with_suffix(".ready").touch()
    await emit_all(EventEmitter(exporter.counters, recorder=exporter.record), exporter, report)
    if PLAN["end"] == "wait":
        await asyncio.sleep(3600)
    if PLAN["end"] == "flush":
        report["flushed"] = await exporter.flush(PLAN["flush_s"])
    if PLAN["end"] != "fall":
        before = time.monotonic()
        await exporter.shutdown(PLAN["shutdown_s"])
        report["shutdown_s"] = time.monotonic() - before
    report["counters"] = list(exporter.counters.snapshot())
    report["ended"] = time.monotonic()
    Path(PLAN["accepted"]).with_suffix(".report").write_text(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main())
