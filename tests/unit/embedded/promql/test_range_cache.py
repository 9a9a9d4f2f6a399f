"""Kept range results are, bit for bit, those of an evaluation anew: over a real store that is written to in and out of
order, with series that come and go, stale markers and removals, and windows that move, grow and step back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

import numpy as np
import pytest

from awf.embedded.model import Matcher, Samples, SeriesBlock
from awf.embedded.promql import Engine, Notes, RangeCache, parse
from awf.embedded.promql.reach import is_pointwise
from awf.embedded.store import MemoryStore
from awf.errors import QueryError

from ._generate import Generator
from ._samples import SPAN_MS, data_set
from ._samples import START_MS as _DATA_MS

MIDNIGHT_MS = -(-_DATA_MS // 86_400_000) * 86_400_000
START_MS = MIDNIGHT_MS - 900_000

Row = tuple[Mapping[str, str], int, float]

OF_MANY = (
    "sum(requests_total)", "avg by (code) (rate(requests_total[2m]))", "sum(temperature - 20)",
    "sum without (host) (rate(latency_bucket[5m]))", "stddev(requests_total)", "topk(3, requests_total)",
    "histogram_quantile(0.9, sum by (le) (rate(latency_bucket[3m])))", "count(requests_total > 50100) or vector(0)",
    "max by (host) (session) / on (host) group_left () sum by (host) (state)", "sum(odd)", "-odd",
    "sum(rate(requests_total[2m]))", "sum(rate(latency_bucket[5m]))",
    "quantile(0.3, requests_total offset 4m)", "sum(increase(requests_total[5m])) * 60 unless absent(session)",
)  # fmt: skip
NOT_KEPT = (
    "requests_total @ end()", "requests_total offset -1m", "deriv(temperature[5m])", "sum(exp(state))",
    "max_over_time(sum(state)[5m:30s])", 'rate({__name__=~"odd|state"}[1m])', "temperature ^ 1.1",
    "requests_total - (requests_total @ 1700001000)", "stdvar_over_time(temperature[5m])",
)  # fmt: skip


class CountingStore(MemoryStore):
    """Counts the time that is read, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.read_ms = 0

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> SeriesBlock:
        self.read_ms += end_ms - start_ms
        return super().select(matchers, start_ms, end_ms)


@pytest.fixture
def store() -> Iterator[CountingStore]:
    opened = CountingStore()
    yield opened
    opened.close()


def rows_by_time(random: Random) -> list[Row]:
    """Return samples of series that live for a part of the time each."""
    found = []
    for series in data_set():
        born, lives = random.choice((0, 0, random.randrange(SPAN_MS))), random.choice((SPAN_MS, 900_000))
        moments = series.timestamps_ms + (START_MS - _DATA_MS)
        for at_ms, value in zip(moments.tolist(), series.values, strict=True):
            if START_MS + born <= at_ms < START_MS + born + lives:
                found.append((series.labels, at_ms, value))
    return sorted(found, key=lambda row: row[1])


class World:
    """A store into which the samples come as time goes on: most of them in order, some of them late."""

    def __init__(self, store: MemoryStore, random: Random) -> None:
        self._store = store
        self._random = random
        self._coming = rows_by_time(random)
        self._late: list[Row] = []
        self.now_ms = START_MS + 600_000

    async def go_on(self) -> None:
        self.now_ms += self._random.choice((1_000, 5_000, 20_000, 60_000))
        due = [row for row in self._coming if row[1] <= self.now_ms]
        self._coming = self._coming[len(due) :]
        self._late += [due.pop(at) for at in range(len(due) - 1, -1, -1) if self._random.random() < 0.01]
        await self._write(due)
        if self._late and self._random.random() < 0.3:
            await self._write([self._late.pop(self._random.randrange(len(self._late)))])
        if self._random.random() < 0.1:
            await self._store.sweep(older_than_ms=self.now_ms - 60_000)

    async def _write(self, rows: Sequence[Row]) -> None:
        if rows:
            await self._store.write(samples=Samples.of(rows))


def evaluated(engine: Engine, query: str, window: tuple[int, int, int]) -> object:
    """Return the answer with every bit of it, and its notes; of an error that there was one."""
    notes = Notes(query)
    try:
        found = engine.range(query, *window, notes)
    except QueryError:
        return "error"
    rows = [(dict(each.labels), each.timestamps_ms.tolist(), each.values.tobytes()) for each in found]
    return rows, notes.texts()


@pytest.mark.parametrize("seed", range(5))
async def test_kept_results_are_those_of_an_evaluation_anew(store: MemoryStore, seed: int) -> None:
    random, generator = Random(seed), Generator(seed)
    queries = [*OF_MANY, *NOT_KEPT, *(generator.query() for _ in range(25))]
    world = World(store, random)
    kept = Engine(store, kept=RangeCache(store.sample_changes, max_bytes=random.choice((30_000, 1 << 20))))
    filled = 0
    for _ in range(30):
        await world.go_on()
        for query in random.sample(queries, 12):
            step = random.choice((15_000, 37_000))
            back = random.choice((0, 0, 0, 60_000))
            end = (world.now_ms - back) // step * step
            window = (end - step * random.choice((0, 1, 20, 20, 20, 20)), end, step)
            answer = evaluated(kept, query, window)
            assert answer == evaluated(Engine(store), query, window), (query, window)
            filled += answer not in ("error", ([], []))
    assert filled > 100


async def test_only_what_is_new_is_read(store: CountingStore) -> None:
    await World(store, Random(1)).go_on()
    engine = Engine(store, kept=RangeCache(store.sample_changes))
    for query in OF_MANY:
        assert is_pointwise(parse(query)), query
    for window_end, read_ms in (
        (600_000, 720_000 - 1),
        (600_000, 0),
        (615_000, 120_000 - 1),
        (630_000, 120_000 - 1),
    ):
        store.read_ms = 0
        end = START_MS // 15_000 * 15_000 + window_end
        engine.range("sum(rate(requests_total[2m]))", end - 600_000, end, 15_000)
        assert store.read_ms == read_ms


@pytest.mark.parametrize("query", NOT_KEPT)
def test_what_depends_on_more_than_its_own_time_is_not_kept(query: str) -> None:
    assert not is_pointwise(parse(query))


async def test_a_late_sample_has_what_follows_it_evaluated_anew(store: CountingStore) -> None:
    series = {"__name__": "requests_total"}
    await store.write(samples=Samples.of([(series, 15_000 * n, float(n)) for n in range(41)]))
    engine = Engine(store, kept=RangeCache(store.sample_changes))
    engine.range("requests_total", 0, 600_000, 15_000)
    await store.write(samples=Samples.of([(series, 450_000, 7.0)]))
    store.read_ms = 0
    (found,) = engine.range("requests_total", 0, 600_000, 15_000)
    assert found.values.tolist() == [7.0 if n == 30 else n for n in range(41)]
    assert store.read_ms == 150_000 + 300_000 - 1


async def test_a_result_that_has_notes_is_evaluated_each_time(store: CountingStore) -> None:
    await store.write(samples=Samples.of([({"__name__": "odd"}, 15_000 * n, float(n)) for n in range(41)]))
    engine = Engine(store, kept=RangeCache(store.sample_changes))
    for _ in range(2):
        store.read_ms, notes = 0, Notes("rate(odd[1m])")
        engine.range("rate(odd[1m])", 0, 600_000, 15_000, notes)
        assert store.read_ms == 660_000 - 1
        assert "might not be a counter" in notes.infos()[0]


def test_the_least_used_results_go_first(store: MemoryStore) -> None:
    kept = RangeCache(store.sample_changes, max_bytes=5_000)
    engine = Engine(store, kept=kept)
    for number in range(30):
        engine.range(f"vector({number})", 0, 600_000, 15_000)
        engine.range(f"nothing_{number}", 0, 600_000, 15_000)
    assert np.sum([each.size_bytes for each in kept._kept.values()]) <= 5_000
    assert [query for query, _ in kept._kept] == ["nothing_28", "vector(29)", "nothing_29"]
