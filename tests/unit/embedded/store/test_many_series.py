"""Thousands of series spread over all of them are read from disk as exactly those, and counted as those."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.embedded.model import Matcher, MatchOp, Samples
from awf.embedded.store import DuckStore
from awf.embedded.store.rows import Rows

SERIES = 1_500
START_MS = 1_700_000_000_000
A_DAY_LATER = START_MS + 86_400_000


@pytest.fixture
def store(tmp_path: Path) -> DuckStore:
    """Return a store with three times as many series as one metric has, their samples no longer in memory."""
    opened = DuckStore.open(tmp_path / "store.duckdb")
    rows = [
        ({"__name__": f"m{number % 3}", "number": str(number)}, START_MS + step * 1000, float(number + step))
        for step in range(3)
        for number in range(3 * SERIES)
    ]
    opened.put(Rows(samples=Samples.of(rows)))
    opened.put(Rows(samples=Samples.of([({"__name__": "later"}, A_DAY_LATER, 0.0)])))
    opened.close()
    return DuckStore.open(tmp_path / "store.duckdb")


def test_only_the_wanted_series_are_read(store: DuckStore) -> None:
    matcher = Matcher("__name__", MatchOp.EQUAL, "m1")
    found = store.select([matcher], START_MS + 1000, START_MS + 2000)
    got = {data.labels["number"]: data.values.tolist() for data in found}
    assert got == {str(n): [n + 1.0, n + 2.0] for n in range(1, 3 * SERIES, 3)}
    assert len(store.series([matcher], START_MS, START_MS)) == SERIES
    store.close()
