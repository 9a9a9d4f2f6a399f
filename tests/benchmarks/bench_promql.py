"""How long PromQL takes over samples in memory, as a multiple of reading those samples once.

A range query is what a panel asks (an hour at a step of 15 s), an instant query what a rule asks. The reader only
slices arrays, so its time is a floor; the store's own reading is in bench_store.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from _measuring import print_table, seconds_per_unit

from awf.embedded.model import Exemplar, Matcher, MetricMetadata, SeriesData
from awf.embedded.promql import Engine, parse

HOUR_MS, SCRAPE_MS, STEP_MS = 3_600_000, 15_000, 15_000
END_MS = 2 * HOUR_MS
BUCKETS = ("5", "25", "100", "500", "1000", "5000", "10000", "60000", "300000", "+Inf")
SIZES = ((1_000, 5), (10_000, 3))  # series, rounds

QUERIES = {
    "selector": "m_bucket",
    "rate[5m]": "rate(m_bucket[5m])",
    "max_over_time[5m]": "max_over_time(m_bucket[5m])",
    "sum by (agent) (rate[5m])": "sum by (agent_id) (rate(m_bucket[5m]))",
    "p95 by (agent)": "histogram_quantile(0.95, sum by (agent_id, le) (rate(m_bucket[5m])))",
    "failed share": 'sum by (agent_id) (rate(m_bucket{status="failed"}[5m]))'
    " / sum by (agent_id) (rate(m_bucket[5m]))",
    "topk(5)": "topk(5, sum by (step_id) (rate(m_bucket[5m])))",
}


class Reader:
    """Histogram buckets in memory, found by looking at each: what reading costs at least."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(7)
        times = np.arange(0, END_MS + 1, SCRAPE_MS, dtype=np.int64)
        names = itertools.product(range(count // (2 * len(BUCKETS))), ("completed", "failed"), BUCKETS)
        self._series = [
            SeriesData(
                {
                    "__name__": "m_bucket", "workflow_id": f"workflow-{step % 20}", "step_id": f"step-{step}",
                    "agent_id": f"agent-{step % 50}", "status": status, "le": le, "instance": "a",
                },
                times,
                np.cumsum(rng.integers(0, 5, len(times))).astype(np.float64),
            )
            for step, status, le in names
        ]  # fmt: skip

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[SeriesData]:
        found = []
        for series in self._series:
            if all(matcher.accepts(series.labels) for matcher in matchers):
                low, high = np.searchsorted(series.timestamps_ms, [start_ms, end_ms + 1])
                part = slice(low, high)
                found.append(SeriesData(series.labels, series.timestamps_ms[part], series.values[part]))
        return found

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Mapping[str, str]]:
        return [series.labels for series in self.select(matchers, start_ms, end_ms)]

    def metadata(self) -> Mapping[str, MetricMetadata]:
        return {}

    def exemplars(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Exemplar]:
        return []


def once(work: Callable[[], object]) -> Callable[[], int]:
    def case() -> int:
        work()
        return 1

    return case


def measure(count: int, rounds: int) -> None:
    reader = Reader(count)
    engine = Engine(reader)
    ranges = {"reading the samples": once(lambda: reader.select((), END_MS - HOUR_MS, END_MS))}
    instants = {"reading the samples": once(lambda: reader.select((), END_MS - 300_000, END_MS))}
    for name, query in QUERIES.items():
        ranges[name] = once(lambda q=query: engine.range(q, END_MS - HOUR_MS, END_MS, STEP_MS))
        instants[name] = once(lambda q=query: engine.instant(q, END_MS))
    over_range, at_once = seconds_per_unit(ranges, rounds=rounds), seconds_per_unit(instants, rounds=rounds)
    rows = [
        [
            name,
            f"{over_range[name] * 1e3:,.1f}", f"{over_range[name] / over_range['reading the samples']:.1f} x",
            f"{at_once[name] * 1e3:,.2f}", f"{at_once[name] / at_once['reading the samples']:.1f} x",
        ]
        for name in ranges
    ]  # fmt: skip
    title = (
        f"{count:,} series, a sample every 15 s: one hour in {HOUR_MS // STEP_MS + 1} steps, and one instant"
    )
    print_table(title, ["", "hour, ms", "against reading", "instant, ms", "against reading"], rows)


def main() -> None:
    for count, rounds in SIZES:
        measure(count, rounds)
    text = QUERIES["p95 by (agent)"]
    parsing = seconds_per_unit({"parse": lambda: sum(parse(text) is not None for _ in range(1_000))})
    print(f"\nparsing {text}: {parsing['parse'] * 1e6:.1f} us")


if __name__ == "__main__":
    main()
