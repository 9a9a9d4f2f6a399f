"""The SLO rules under our own ruler and store: the figures are those that Prometheus' rule tester is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from awf.core.counters import Counters
from awf.embedded import promql
from awf.embedded.model import Samples
from awf.embedded.ruler.evaluation import GroupState
from awf.embedded.ruler.rules import load_rules
from awf.embedded.store import DuckStore
from awf.generate.output import render_rules, write
from awf.generate.slo import load_slos

START_MS, MINUTE_MS = 1_800_000_000_000, 60_000
BOTH = {"slo": "workflow-success", "subject": "research", "workflow_id": "research"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckStore]:
    opened = DuckStore.open(tmp_path / "t.duckdb", memory_mb=128)
    yield opened
    opened.close()


async def record(store: DuckStore, folder: Path, counts: dict[str, list[float | None]]) -> promql.Engine:
    """Write one sample a minute of the workflow's counters and evaluate every SLO rule after each."""
    write(folder, render_rules(slos=load_slos()[:1]))
    engine = promql.Engine(store)
    groups = [
        GroupState(group, Counters())
        for group in load_rules(folder, default_interval_ms=MINUTE_MS, check_expr=promql.parse)
        if group.name.startswith("slo_")
    ]
    order = ["slo_hours", "slo_days", "slo_month", "slo_burn"]
    groups.sort(key=lambda state: order.index(state.group.name))
    about = {"__name__": "awf_workflow_total", "workflow_id": "research", "job": "w", "instance": "a"}
    for minute in range(max(map(len, counts.values()))):
        at = START_MS + minute * MINUTE_MS
        samples = [
            ({**about, "status": status}, at, value)
            for status, values in counts.items()
            if minute < len(values) and (value := values[minute]) is not None
        ]
        if samples:
            await store.write(samples=Samples.of(samples))
        for group in groups:
            await group.evaluate(engine, store, at)
            assert {state.health for state in group.rules} == {"ok"}, [s.last_error for s in group.rules]
    return engine


def asked(engine: promql.Engine, query: str, minute: int) -> dict[str, float]:
    found = engine.instant(query, START_MS + minute * MINUTE_MS)
    return {sample.labels["subject"]: round(sample.value, 3) for sample in found}


async def test_a_half_spent_budget_is_half_left(store: DuckStore, tmp_path: Path) -> None:
    counts: dict[str, list[float | None]] = {
        "completed": [199.0 * n for n in range(16)],
        "failed": [1.0 * n for n in range(16)],
    }
    engine = await record(store, tmp_path / "rules", counts)
    for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"):
        assert asked(engine, f"awf:slo_errors:ratio_rate{window}", 15) == {"research": 0.005}
    assert asked(engine, "awf:error_budget_remaining:ratio", 15) == {"research": 0.5}
    (sample,) = engine.instant("awf:slo_bad:increase5m", START_MS + 15 * MINUTE_MS)
    assert {name: text for name, text in sample.labels.items() if name != "__name__"} == BOTH
    assert sample.value == 5


async def test_a_restart_an_outage_and_a_first_failure_are_counted_right(
    store: DuckStore, tmp_path: Path
) -> None:
    completed: list[float | None] = [10.0 * n for n in range(10)]
    completed += [None] * 8  # nothing arrives
    completed += [180.0, 190.0, 5.0, 15.0, 25.0, 35.0, 45.0]  # the process begins anew at minute 20
    failed: list[float | None] = [None] * 18 + [4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    engine = await record(store, tmp_path / "rules", {"completed": completed, "failed": failed})
    assert asked(engine, "awf:slo_total:increase5m", 14) == {}
    assert asked(engine, "awf:slo_total:increase5m", 18) == {"research": 94}
    assert asked(engine, "awf:slo_bad:increase5m", 18) == {"research": 4}
    assert asked(engine, "awf:slo_total:increase5m", 20)["research"] == 5
    assert asked(engine, "awf:slo_bad:increase5m", 24) == {"research": 0}


async def test_everything_failing_fires(store: DuckStore, tmp_path: Path) -> None:
    counts: dict[str, list[float | None]] = {"completed": [3.0] * 14, "failed": [2.0 * n for n in range(14)]}
    engine = await record(store, tmp_path / "rules", counts)
    firing = engine.instant('ALERTS{alertstate="firing"}', START_MS + 13 * MINUTE_MS)
    assert "AWFErrorBudgetBurnsVeryFast" in {sample.labels["alertname"] for sample in firing}


async def test_no_traffic_is_neither_good_nor_bad(store: DuckStore, tmp_path: Path) -> None:
    engine = await record(store, tmp_path / "rules", {"completed": [3.0] * 8, "failed": [9.0] * 8})
    assert asked(engine, "awf:slo_total:increase5m", 7) == {"research": 0}
    assert asked(engine, "awf:slo_errors:ratio_rate5m", 7) == {}
    assert asked(engine, "awf:error_budget_remaining:ratio", 7) == {}
    assert engine.instant("ALERTS", START_MS + 7 * MINUTE_MS) == []
