"""A read that is too large is refused with its size, before it reads."""

from __future__ import annotations

import numpy as np
import pytest

from awf.embedded import cost
from awf.embedded.model import LabelKey, Matcher, MatchOp, Samples
from awf.embedded.promql import Engine
from awf.embedded.store import MemoryStore
from awf.errors import QueryLimit

HOUR_MS = 3_600_000


def test_a_large_read_is_refused_with_what_it_is_and_how_to_narrow_it() -> None:
    with pytest.raises(QueryLimit) as refused:
        cost.check_samples(100_000, 0, 6 * HOUR_MS, lambda: 84_000_000)
    assert refused.value.message == (
        "the query would read about 84,000,000 samples of 100,000 series over 6:00:00, more than 20,000,000"
    )
    assert "add matchers" in refused.value.hint


def test_a_read_that_must_be_small_is_not_counted() -> None:
    def count() -> int:
        raise AssertionError("counted")

    cost.check_samples(1_000, 0, 5 * HOUR_MS, count)
    with pytest.raises(AssertionError, match="counted"):
        cost.check_samples(1_000, 0, 6 * HOUR_MS, count)


@pytest.mark.parametrize("series", [3, 1_500])
async def test_the_store_counts_what_the_matchers_take_of_the_range(
    series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "MAX_SAMPLES", series * 10)
    store = MemoryStore()
    keys = [LabelKey({("__name__", "m"), ("job", f"{n}")}) for n in range(series)]
    others = [LabelKey({("__name__", "other"), ("job", f"{n}")}) for n in range(series)]
    for at in range(12):
        at_ms = np.full(2 * series, at * 1_000, dtype=np.int64)
        await store.write(samples=Samples.of_keys(keys + others, at_ms, np.zeros(2 * series)))
    query = 'count_over_time(m{job=~".+"}[%ds])'
    assert len(Engine(store).instant(query % 10, 11_000)) == series  # type: ignore[arg-type]
    with pytest.raises(QueryLimit, match=f"about {series * 12:,} samples of {series:,} series over 0:01:39"):
        Engine(store).instant(query % 100, 11_000)
    with pytest.raises(QueryLimit):
        store.select([Matcher("job", MatchOp.NOT_EQUAL, "")], 0, 11_000)
    store.close()
