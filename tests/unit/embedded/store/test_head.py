"""The newest samples in memory: whatever was sealed, merged, given up or read again, the answers are the same."""

from __future__ import annotations

import math
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from awf.core.counters import Counters
from awf.core.semconv import STORE_REFUSED_ROWS
from awf.embedded.changes import EVERYTHING_MS
from awf.embedded.model import STALE_NAN_BITS, Matcher, MatchOp, Samples
from awf.embedded.store import DuckStore
from awf.embedded.store.block import join
from awf.embedded.store.head import Head
from awf.embedded.store.layout import MS_PER_DAY
from awf.embedded.store.limits import Limits
from awf.embedded.store.schema import connect

STALE = struct.unpack("<d", struct.pack("<Q", STALE_NAN_BITS))[0]
MINUTE = 60_000
Model = dict[str, dict[int, float]]
Found = dict[str, list[tuple[int, int]]]


def opened(path: Path, *, memory_mb: int = 64, counters: Counters | None = None) -> DuckStore:
    """Open a store that folds only when it is told to, and seals at once."""
    limits = Limits(memory_mb=memory_mb, fold_weight=None, seal_samples=16)
    return DuckStore(connect(path, 256), path, limits=limits, counters=counters)


def bits(times: list[int], values: np.ndarray) -> list[tuple[int, int]]:
    """Return samples in a form in which every NaN equals itself, and the stale marker only itself."""
    plain = np.where(np.isnan(values) & (values.view(np.uint64) != STALE_NAN_BITS), math.nan, values)
    return list(zip(times, plain.view(np.int64).tolist(), strict=True))


def read(store: DuckStore, matcher: Matcher, start_ms: int, end_ms: int) -> Found:
    return {
        data.labels["job"]: bits(data.timestamps_ms.tolist(), data.values)
        for data in store.select([matcher], start_ms, end_ms)
    }


def expected(model: Model, matcher: Matcher, start_ms: int, end_ms: int) -> Found:
    found = {}
    for job, samples in model.items():
        times = [at for at in sorted(samples) if start_ms <= at <= end_ms]
        if times and matcher.matches(job):
            found[job] = bits(times, np.array([samples[at] for at in times]))
    return found


@pytest.mark.parametrize("seed", range(8))
async def test_random_writes_read_as_a_plain_dictionary_in_every_state_of_the_store(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    path = tmp_path / "t.duckdb"
    store, model, now = opened(path), Model(), 2 * MS_PER_DAY
    for _ in range(60):
        rows = []
        for _ in range(draw.randrange(1, 50)):
            job = str(draw.randrange(40))
            late = draw.choice([0, 0, 0, MINUTE, MS_PER_DAY])
            at = now - draw.randrange(late + 1) // MINUTE * MINUTE
            value = draw.choice([draw.random(), draw.random(), STALE, math.nan, math.inf])
            rows.append(({"__name__": "m", "job": job}, at, value))
            model.setdefault(job, {})[at] = value
        await store.write(samples=Samples.of(rows))
        now += draw.choice([0, MINUTE, 90 * MINUTE])
        match draw.randrange(12):
            case 0:
                store.fold()
            case 1:
                store.close()
                store = opened(path)
            case 2:
                store._keeper.trim(draw.randrange(4000))
            case 3:
                store._keeper.trim(1 << 20)
        start = draw.choice([0, now - MINUTE, now - draw.randrange(2 * MS_PER_DAY)])
        end = start + draw.randrange(3 * MS_PER_DAY)
        matcher = Matcher("job", MatchOp.REGEX, draw.choice([".*", "1.*", "[0-4]", "7", ".*[13579]"]))
        wanted = expected(model, matcher, start, end)
        assert read(store, matcher, start, end) == wanted
        assert sorted(labels["job"] for labels in store.series([matcher], start, end)) == sorted(wanted)
    store.close()


def fill(head: Head, first: int, count: int, *, series: int = 10) -> None:
    numbers = np.arange(first, first + count)
    head.append((numbers % series).astype(np.uint32), numbers // series * 1000, numbers.astype(np.float64))


def test_blocks_stay_few_and_hold_everything() -> None:
    head = Head(EVERYTHING_MS, seal_samples=100)
    for first in range(0, 20_000, 100):
        fill(head, first, 100)
        head.seal()
    assert len(head._blocks) < 25
    assert head.samples == 20_000
    since, pieces = head.pieces(np.array([3], dtype=np.uint32), 0, 10**9)
    offsets, times, values = join(pieces, 1)
    assert since == EVERYTHING_MS
    assert times.tolist() == [n * 1000 for n in range(2000)]
    assert values.tolist() == [n * 10 + 3.0 for n in range(2000)]
    assert offsets.tolist() == [0, 2000]


def test_a_head_gives_up_its_oldest_part_and_says_from_when_on_it_answers() -> None:
    head = Head(EVERYTHING_MS, seal_samples=100)
    for first in range(0, 5_000, 100):
        fill(head, first, 100)
        head.seal()
    head.shrink(head.size_bytes // 2)
    since, pieces = head.pieces(np.array([0], dtype=np.uint32), 0, 10**9)
    _, times, _ = join(pieces, 1)
    assert 0 < since <= times[0]
    assert times[-1] == 499_000
    assert np.diff(times).max() == 1000
    head.forget(450_000)
    assert head.pieces(np.array([0], dtype=np.uint32), 0, 440_000) == (450_000, [])


async def test_new_series_are_refused_when_label_sets_fill_their_memory_and_known_ones_go_on(
    tmp_path: Path,
) -> None:
    counters = Counters()
    store = opened(tmp_path / "t.duckdb", memory_mb=4, counters=counters)
    refused = 0
    for batch in range(10):
        refusal = await store.write(
            samples=Samples.of(
                [({"__name__": "m", "i": str(batch * 1000 + n)}, batch, 1.0) for n in range(1000)]
            )
        )
        refused += 0 if refusal is None else refusal.count
    known = store.stats().series
    assert 1000 < known < 10_000
    assert refused == 10_000 - known == counters.get(STORE_REFUSED_ROWS, reason="memory")
    assert await store.write(samples=Samples.of([({"__name__": "m", "i": "0"}, 99, 2.0)])) is None
    (data,) = store.select([Matcher("i", MatchOp.EQUAL, "0")], 0, 1000)
    assert data.values.tolist() == [1.0, 2.0]
    store.close()
