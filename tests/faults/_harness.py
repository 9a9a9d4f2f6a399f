"""What the fault tests share: the emitting program as a process, and what must be true of what arrived."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from awf.core import semconv
from tests.collector import Collector

IS_LONG = os.environ.get("AWF_TEST_FAULTS") == "long"
PROGRAM = Path(__file__).with_name("_emitter.py")
PROTOCOLS = ["grpc", "http/protobuf"]


def by_form(short: Any, long: Any) -> Any:
    """Return what this run uses: the usual tests run the short form, `make faults` the long one."""
    return long if IS_LONG else short


class Key(NamedTuple):
    """What tells one event of an emitter from all others."""

    execution: str
    type: str
    step: str
    attempt: int


@dataclass(frozen=True)
class Plan:
    """What an emitter does. `clock` holds (after so many seconds, step by so many); `file_size` is a limit
    that files meet as if the disk were full; a `count` of 0 is endless; `orphan_s` is after
    how long the spools of dead processes are sent; `weigh_at` says after how many events to look at how much
    memory it takes; `end` is flush, shutdown, fall (off the program's end) or wait."""

    endpoint: str
    accepted: str
    protocol: str = "grpc"
    spool: str = ""
    count: int = 1000
    first: int = 0
    rate: float = 1000.0
    end: str = "flush"
    flush_s: float = 240.0 if IS_LONG else 60.0
    shutdown_s: float = 3.0
    snapshot_s: float = 0.0
    file_size: int = 0
    orphan_s: float = 0.0
    memory_bytes: int = 0
    weigh_at: tuple[int, ...] = ()
    options: dict[str, float] = field(default_factory=dict)
    clock: tuple[tuple[float, float], ...] = ()


class Emitter:
    """One run of the emitting program."""

    def __init__(self, plan: Plan, **environ: str) -> None:
        self.plan = plan
        self._log = Path(plan.accepted)
        for suffix in (".ready", ".stop"):
            self._log.with_suffix(suffix).unlink(missing_ok=True)
        variables = {"OTEL_METRIC_EXPORT_INTERVAL": "200", "PYTHONWARNINGS": "ignore"}
        self.terminal = self._log.with_suffix(".terminal")
        with self.terminal.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps(asdict(plan))], stderr=stream, stdout=stream,
                env=os.environ | variables | environ, cwd=Path(__file__).parents[2],
            )  # fmt: skip

    def __enter__(self) -> Emitter:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def until_ready(self) -> Emitter:
        until(self._log.with_suffix(".ready").exists)
        return self

    def until_more(self, events: int) -> None:
        """Wait until so many events more are accepted."""
        before = len(self.accepted())
        until(lambda: len(self.accepted()) >= before + events)

    def finish(self) -> Emitter:
        """Let it emit no more and come to its end."""
        self._log.with_suffix(".stop").touch()
        return self

    def kill(self) -> None:
        """`kill -9`, if it still runs."""
        self.process.kill()
        self.process.wait(timeout=10)

    def report(self, timeout_s: float = 400.0) -> dict[str, Any]:
        """Wait for its end and return what it says of itself, and how long it took to go after that."""
        code = self.process.wait(timeout=timeout_s)
        ended = time.monotonic()
        assert code == 0, self.terminal.read_text()
        found: dict[str, Any] = json.loads(self._log.with_suffix(".report").read_text())
        return found | {"gone_after_s": ended - found["ended"]}

    def accepted(self) -> list[tuple[Key, int]]:
        """Return the events that were accepted, with their times, in order; also those of earlier runs."""
        return [
            (Key(execution, kind, step.replace("-", ""), int(attempt)), int(time_ns))
            for execution, kind, step, attempt, time_ns in map(str.split, self._log.read_text().rpartition("\n")[0].splitlines())
        ] if self._log.exists() else []  # fmt: skip


def until(reached: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for a condition."""
    give_up_at = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.02)


def counter(report: dict[str, Any], name: str, **labels: str) -> float:
    """Return what an emitter counted."""
    return sum(
        value
        for known, found, value in report["counters"]
        if known == name and labels.items() <= found.items()
    )


def _attributes(item: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in item.attributes}


def arrived(collector: Collector) -> list[Key]:
    """Return the events whose log records arrived, in order."""
    found = []
    for record in list(collector.logs):
        told = _attributes(record)
        found.append(
            Key(
                str(told[semconv.EXECUTION_ID]), str(told[semconv.EVENT_TYPE]),
                str(told.get(semconv.STEP_ID, "")), int(told.get(semconv.ATTEMPT, 0)),
            )
        )  # fmt: skip
    return found


def first_times(keys: list[Key]) -> list[Key]:
    """Return what remains when repetitions are left out."""
    return list(dict.fromkeys(keys))


def check_spans(collector: Collector, accepted: list[tuple[Key, int]]) -> None:
    """Every logical span has one id and one content, and the times of the events that began and ended it."""
    times = dict(accepted)
    contents: dict[bytes, bytes] = {}
    ids: dict[tuple[str, str, str], bytes] = {}
    for span in list(collector.spans):
        content = span.SerializeToString(deterministic=True)
        assert contents.setdefault(span.span_id, content) == content, f"one id, two contents: {span}"
        told = _attributes(span)
        execution, step = str(told[semconv.EXECUTION_ID]), str(told.get(semconv.STEP_ID, ""))
        assert ids.setdefault((span.name, execution, step), span.span_id) == span.span_id
        is_failed = span.status.code == 2
        for began, ended in SPANS[span.name]:
            start = times.get(Key(execution, began, step, 1 if step else 0))
            end = times.get(Key(execution, ended, step, 1 if step else 0))
            if start is not None and end is not None and ended.endswith("failed") == is_failed:
                assert (span.start_time_unix_nano, span.end_time_unix_nano) == (start, end)


SPANS = {
    semconv.SPAN_WORKFLOW: [("workflow.started", "workflow.completed"), ("workflow.started", "workflow.failed")],
    semconv.SPAN_STEP: [
        ("workflow.step.started", "workflow.step.completed"), ("workflow.step.started", "workflow.step.failed"),
    ],
    semconv.SPAN_AGENT_INVOKE: [("agent.invoked", "agent.completed"), ("agent.invoked", "agent.failed")],
}  # fmt: skip


def points(collector: Collector) -> Iterator[tuple[tuple[str, ...], Any, float]]:
    """Yield every series that any metrics request had, in order: its name, a data point, and its value."""
    for request in list(collector.metric_requests):
        for group in request.resource_metrics:
            instance = str(_attributes(group.resource)["service.instance.id"])
            for metric in (m for scope in group.scope_metrics for m in scope.metrics):
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points:
                    labels = sorted(f"{k}={v}" for k, v in _attributes(point).items())
                    value = point.count if kind == "histogram" else point.as_double
                    yield (kind, metric.name, instance, *labels), point, value


def check_metrics(collector: Collector) -> None:
    """No series goes back, in time or, while it has one beginning, in value."""
    last: dict[tuple[str, ...], tuple[int, int, float]] = {}
    for series, point, value in points(collector):
        before = last.get(series)
        at, start = point.time_unix_nano, point.start_time_unix_nano
        assert at > start or series[0] == "gauge", f"{series} begins after it was measured"
        if before is not None:
            assert at > before[0], f"{series}: time goes from {before[0]} to {at}"
            if series[0] != "gauge" and start == before[1]:
                assert value >= before[2], f"{series} falls from {before[2]} to {value}"
        last[series] = (at, start, value)


def check_counted(collector: Collector, keys: list[Key]) -> None:
    """The metrics, as they were sent last, say exactly what these events amount to, instances added up."""
    last = {series: value for series, _, value in points(collector)}
    kinds = Counter(key.type for key in keys)

    def total(name: str, *labels: str) -> float:
        return sum(v for series, v in last.items() if series[1] == name and set(labels) <= set(series[3:]))

    assert {
        "completed": total(semconv.AGENT_INVOCATIONS, "status=completed"),
        "failed": total(semconv.AGENT_INVOCATIONS, "status=failed"),
        "workflows": total(semconv.WORKFLOWS),
        "steps": total(semconv.STEP_DURATION),
        "tokens": total(semconv.TOKENS, "direction=input"),
    } == {
        "completed": kinds["agent.completed"],
        "failed": kinds["agent.failed"],
        "workflows": kinds["workflow.completed"] + kinds["workflow.failed"],
        "steps": kinds["workflow.step.completed"] + kinds["workflow.step.failed"],
        "tokens": 900 * (kinds["agent.completed"] + kinds["agent.failed"]),
    }
