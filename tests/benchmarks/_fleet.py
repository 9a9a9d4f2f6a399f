"""A fleet's telemetry, written straight into a store: what AWF's dashboards ask for, and other services' series beside it.

50 workflows of 20 steps and 50 agents. Of 100,000 series, 38,000 are the buckets of step durations.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _payloads import BOUNDS, RESOURCE
from numpy.typing import NDArray

from awf.embedded.model import LogRecord, Samples, Span, key_of
from awf.embedded.server import STORE_FILE
from awf.embedded.store import DuckStore

STEP_MS = 15_000
WORKFLOWS, STEPS, AGENTS = 50, 20, 50
STATUSES = ("completed", "failed")
TARGET = {"job": "demo", "instance": "host-1"}
BATCH = 10_000


@dataclass(frozen=True)
class Fleet:
    """Label sets, how much each grows in a second (a gauge stays), and which part of 100 observations it counts."""

    labels: list[Mapping[str, str]]
    rates: NDArray[np.float64]
    counted: NDArray[np.int64]

    def at(self, timestamp_ms: int) -> NDArray[np.float64]:
        """Return every series' value at a moment."""
        whole, rest = np.divmod(np.floor(timestamp_ms / 1000 % 1e8 * self.rates), 100)
        grown = whole * self.counted + _COUNTED[self.counted, rest.astype(np.int64)]
        return np.where(self.rates == 0, 0.9, grown)


# Of the first n of 100 observations in an order without pattern, how many are among the `part` smallest: the buckets of
# a histogram grow together.
_COUNTED = np.array([
    [0, *np.cumsum(np.random.default_rng(1).permutation(100) < part)][:100] for part in range(101)
])  # fmt: skip


def fleet(count: int) -> Fleet:
    """Return `count` series: AWF's own first, then those of other services."""
    return _grown(itertools.islice(itertools.chain(_awf(), _recorded(), _durations(), _others()), count))


def durations(count: int) -> Fleet:
    """Return `count` series of the histogram of step durations."""
    return _grown(itertools.islice(_durations(), count))


def _grown(found: Iterable[dict[str, str]]) -> Fleet:
    labels = [{**TARGET, **each} for each in found]
    return Fleet(labels, np.array(list(map(_rate, labels))), np.array(list(map(_counted, labels))))


def _counted(labels: Mapping[str, str]) -> int:
    """Durations are spread evenly up to 5 s."""
    return int(min(100.0, float(labels.get("le", "inf")) / 50))


def _rate(labels: Mapping[str, str]) -> float:
    return 0.0 if ":" in labels["__name__"] or labels["__name__"].endswith(("_active", "_score")) else 0.5


def _awf() -> Iterator[dict[str, str]]:
    for workflow in range(WORKFLOWS):
        of = {"workflow_id": f"workflow-{workflow}"}
        yield {"__name__": "awf_executions_active", **of}
        for status in STATUSES:
            yield {"__name__": "awf_workflow_total", **of, "status": status}
    for number in range(AGENTS):
        agent = {"agent_id": f"agent-{number}"}
        yield {"__name__": "awf_agent_trust_score", **agent}
        yield {"__name__": "awf_cost_usd_total", **agent, "provider": "openai"}
        for direction in ("input", "output"):
            yield {"__name__": "awf_tokens_total", **agent, "direction": direction, "model": "gpt-5"}
        for status in STATUSES:
            yield {
                "__name__": "awf_agent_invocations_total",
                **agent,
                "framework": "langgraph",
                "status": status,
            }
        for step in range(STEPS):
            yield {"__name__": "awf_retry_total", **agent, "step_id": f"step-{step}"}
    for step in range(STEPS):
        yield {"__name__": "awf_fallback_total", "step_id": f"step-{step}"}


def _durations() -> Iterator[dict[str, str]]:
    for workflow, step, status in itertools.product(range(WORKFLOWS), range(STEPS), STATUSES):
        own = {
            "workflow_id": f"workflow-{workflow}", "step_id": f"step-{step}",
            "agent_id": f"agent-{(workflow + step) % AGENTS}", "framework": "langgraph", "status": status,
        }  # fmt: skip
        for bound in (*map(str, BOUNDS), "+Inf"):
            yield {"__name__": "awf_step_duration_ms_bucket", **own, "le": bound}
        yield {"__name__": "awf_step_duration_ms_sum", **own}
        yield {"__name__": "awf_step_duration_ms_count", **own}


def _recorded() -> Iterator[dict[str, str]]:
    """What the recording rules would have made of it."""
    slo = {"slo": "executions-succeed"}
    yield {"__name__": "awf:slo_objective:ratio", **slo}
    for workflow in range(WORKFLOWS):
        of = {"workflow_id": f"workflow-{workflow}"}
        yield {"__name__": "awf:workflow_success_rate:ratio_rate5m", **of}
        yield {"__name__": "awf:step_latency_p99:5m", **of, "step_id": "step-0"}
        own = {**slo, **of, "subject": f"workflow-{workflow}"}
        yield {"__name__": "awf:error_budget_remaining:ratio", **own}
        for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"):
            yield {"__name__": f"awf:slo_errors:ratio_rate{window}", **own}


def _others() -> Iterator[dict[str, str]]:
    for number in itertools.count():
        yield {
            "__name__": f"service_{number % 200}_requests_total", "route": f"/r{number // 200 % 50}",
            "pod": f"pod-{number // 10_000}", "code": "200",
        }  # fmt: skip


def moments(until_ms: int, minutes: int) -> range:
    """Return when every series has a sample."""
    return range(until_ms - minutes * 60_000, until_ms + 1, STEP_MS)


async def _samples(store: DuckStore, of: Fleet, times_ms: range) -> int:
    keys = [key_of(labels) for labels in of.labels]
    together = max(1, 20_000 // len(keys))
    for first in range(0, len(times_ms), together):
        part = times_ms[first : first + together]
        times = np.repeat(np.array(part, dtype=np.int64), len(keys))
        await store.write(
            samples=Samples.of_keys(keys * len(part), times, np.concatenate([of.at(at) for at in part]))
        )
    return len(keys) * len(times_ms)


async def _logs(store: DuckStore, count: int, until_ns: int, length_ns: int) -> None:
    for first in range(0, count, BATCH):
        await store.write(
            logs=[
                _record(n, until_ns - length_ns + length_ns // count * n) for n in range(first, first + BATCH)
            ]
        )


def _record(n: int, at_ns: int) -> LogRecord:
    failed = n % 49 == 0
    level = "error" if failed else "info"
    outcome = f"failed: connection to db-{n % 11} reset" if failed else f"completed in {n % 977} ms"
    about = {
        "execution_id": f"exe_{n // 14:016x}", "workflow_id": f"workflow-{n % WORKFLOWS}",
        "step_id": f"step-{n % STEPS}", "agent_id": f"agent-{n % AGENTS}",
        "event_type": "workflow.step.failed" if failed else "workflow.step.completed", "detected_level": level,
    }  # fmt: skip
    stream = {"service_name": f"service-{n % 10}", "level": level}
    return LogRecord(at_ns, f"step step-{n % STEPS} of workflow-{n % WORKFLOWS} {outcome}", stream, about)


async def _spans(store: DuckStore, count: int, until_ns: int, length_ns: int) -> None:
    for first in range(0, count, BATCH):
        await store.write(
            spans=[
                _span(n, until_ns - length_ns + length_ns // count * n) for n in range(first, first + BATCH)
            ]
        )


def _span(n: int, at_ns: int) -> Span:
    root = n - n % 7
    own: dict[str, Any] = {
        "execution_id": f"exe_{root:016x}", "workflow_id": f"workflow-{root // 7 % WORKFLOWS}",
        "step_id": f"step-{n % STEPS}", "agent_id": f"agent-{n % AGENTS}", "attempt": 1,
    }  # fmt: skip
    return Span(
        trace_id=f"{root + 1:032x}", span_id=f"{n + 1:016x}", parent_span_id="" if n == root else f"{root + 1:016x}",
        name="awf.workflow" if n == root else "awf.step", kind=1, start_ns=at_ns,
        end_ns=at_ns + (n % 977 + 1) * 1_000_000, status=2 if n % 48 == 0 else 0, attributes=own,
        resource=RESOURCE, scope_name="awf",
    )  # fmt: skip


@dataclass(frozen=True)
class Written:
    """How many samples a folder holds, until when (milliseconds)."""

    until_ms: int
    samples: int


def write(
    folder: Path, *, now: Fleet | None = None, minutes: int = 0, day_of: Fleet | None = None,
    lines: int = 0, spans: int = 0, hours: int = 1,
) -> Written:  # fmt: skip
    """Fill a store with series over the last minutes, others over the day before that, and logs and spans over the
    last hours."""
    until_ms = int(time.time() * 1000)
    until_ns, length_ns = until_ms * 1_000_000, hours * 3_600 * 10**9
    newest = moments(until_ms, minutes)

    async def fill(store: DuckStore) -> Written:
        count = await _samples(store, now, newest) if now else 0
        if day_of:
            count += await _samples(store, day_of, range(newest.start - 86_400_000, newest.start, STEP_MS))
        await _logs(store, lines, until_ns, length_ns)
        await _spans(store, spans, until_ns, length_ns)
        return Written(until_ms, count)

    store = DuckStore.open(folder / STORE_FILE)
    try:
        return asyncio.run(fill(store))
    finally:
        store.close()
