"""Rows move from the tail into their days, and leave with them; whatever the state, reading finds the same."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from awf.core.counters import Counters
from awf.core.semconv import STORE_DROPPED_ROWS
from awf.embedded.model import Exemplar, LogRecord, Samples, Span
from awf.embedded.store import DuckStore
from awf.embedded.store.layout import MS_PER_DAY
from awf.embedded.store.limits import Limits
from awf.embedded.store.rewrite import rewrite
from awf.embedded.store.schema import connect

DAY_NS = MS_PER_DAY * 1_000_000
LABELS = {"__name__": "m"}


def opened(path: Path, *, counters: Counters | None = None, max_bytes: int | None = None) -> DuckStore:
    """Open a store that folds only when it is told to."""
    limits = Limits(fold_weight=None, max_bytes=max_bytes, wal=path.with_name(path.name + ".wal"))
    return DuckStore(connect(path, 256), path, limits=limits, counters=counters)


def tables(path: Path) -> list[str]:
    """Return the tables of rows in a file that is closed."""
    connection = connect(path, 256)
    found = connection.execute("select table_name from duckdb_tables()").fetchall()
    connection.close()
    known = {"format", "series", "streams", "metadata", "seen"}
    return sorted(name for (name,) in found if name not in known)


async def test_every_row_goes_into_the_table_of_its_day_however_late_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    store = opened(path)
    today = 20_784 * MS_PER_DAY  # 2026-11-27
    await store.write(
        samples=Samples.of([(LABELS, today, 1.0), (LABELS, today - 1, 0.0)]),
        exemplars=[Exemplar(LABELS, {}, 1.0, today)],
        logs=[LogRecord(today * 1_000_000, "now", {"service_name": "a"})],
        spans=[Span("a" * 32, "1" * 16, "", "work", 1, (today - 1) * 1_000_000, today * 1_000_000)],
    )
    store.fold()
    await store.write(samples=Samples.of([(LABELS, today - 2, -1.0)]))
    store.fold()
    (data,) = store.select([], 0, 2 * today)
    assert data.values.tolist() == [-1.0, 0.0, 1.0]
    store.close()
    tails = [f"{name}_tail_3" for name in ("exemplars", "logs", "samples", "spans")]
    days = ["exemplars_20261127", "logs_20261127", "samples_20261126", "samples_20261127", "spans_20261126"]
    assert tables(path) == sorted(days + tails)


async def test_the_order_of_arrival_outlives_the_move(tmp_path: Path) -> None:
    store = opened(tmp_path / "t.duckdb")
    for value in range(6):
        await store.write(
            samples=Samples.of([(LABELS, 1000, float(value))]),
            logs=[LogRecord(1000, f"line {value}", {"service_name": "a"})],
        )
        if value in (2, 4):
            store.fold()
        (data,) = store.select([], 0, 2000)
        assert data.values.tolist() == [float(value)]
    lines = [f"line {value}" for value in range(6)]
    assert [record.line for record in store.logs([], 0, 2000, newest_first=False)] == lines
    assert [record.line for record in store.logs([], 0, 2000)] == lines[::-1]
    store.close()


async def test_a_reader_sees_every_row_once_while_rows_move(tmp_path: Path) -> None:

    store = opened(tmp_path / "t.duckdb")
    done = asyncio.Event()

    async def read() -> int:
        reads = 0
        while not done.is_set():
            before = written
            found = await asyncio.to_thread(store.logs, [], 0, DAY_NS)
            assert before <= len(found) <= written + 50
            reads += 1
        return reads

    written = 0
    readers = [asyncio.create_task(read()) for _ in range(2)]
    for _ in range(12):
        await store.write(
            logs=[LogRecord(written + n, f"line {written + n}", {"service_name": "a"}) for n in range(50)]
        )
        written += 50
        await asyncio.to_thread(store.fold)
    done.set()
    assert min(await asyncio.gather(*readers)) > 0
    store.close()


async def test_the_oldest_days_go_first_when_the_file_is_too_large_and_it_is_counted(tmp_path: Path) -> None:
    counters = Counters()
    store = opened(tmp_path / "t.duckdb", counters=counters, max_bytes=6 << 20)
    noise = random.Random(7)
    for day in range(4):
        lines = [
            LogRecord(day * DAY_NS + n, noise.randbytes(500).hex(), {"service_name": "a"})
            for n in range(4000)
        ]
        await store.write(logs=lines)
    store.fold()
    await store.sweep(older_than_ms=0)
    kept = {record.timestamp_ns // DAY_NS for record in store.logs([], 0, 9 * DAY_NS)}
    assert 3 in kept
    assert 0 not in kept
    gone = 4 - len(kept)
    assert counters.get(STORE_DROPPED_ROWS, signal="logs", reason="size") == gone * 4000
    store.close()


async def test_of_the_only_day_the_oldest_part_goes(tmp_path: Path) -> None:
    counters = Counters()
    store = opened(tmp_path / "t.duckdb", counters=counters, max_bytes=8 << 20)
    noise = random.Random(7)
    for part in range(10):
        lines = [
            LogRecord(part * 10**12 + n, noise.randbytes(500).hex(), {"service_name": "a"})
            for n in range(2500)
        ]
        await store.write(logs=lines)
        store.fold()
    await store.sweep(older_than_ms=0)
    kept = sorted({record.timestamp_ns // 10**12 for record in store.logs([], 0, DAY_NS)})
    assert kept == list(range(kept[0], 10))
    assert kept[0] > 0
    assert counters.get(STORE_DROPPED_ROWS, signal="logs", reason="size") >= kept[0] * 2500
    store.close()


@pytest.mark.parametrize(("different", "kinds"), [(6_000, {"ZSTD"}), (10, {"DICT_FSST"})])
async def test_attributes_that_hardly_repeat_are_packed_closely(
    tmp_path: Path, different: int, kinds: set[str]
) -> None:
    path = tmp_path / "t.duckdb"
    store = opened(path)
    ids = [f"{random.Random(number % different).getrandbits(128):032x}" for number in range(6_000)]
    spans = [
        Span(f"{n:032x}", f"{n:016x}", "", "work", 1, n, n, attributes={"id": x}) for n, x in enumerate(ids)
    ]
    await store.write(logs=[LogRecord(n, "x", {"a": "b"}, {"id": x}) for n, x in enumerate(ids)], spans=spans)
    store.fold()
    assert [found.metadata["id"] for found in store.logs([], 0, 6_000, newest_first=False)] == ids
    assert [found.attributes["id"] for found in store.spans_of(store.traces(0, 6_000))] == ids
    store.close()
    assert _packing(path) == kinds
    rewrite(path, 256)
    assert _packing(path) == kinds


def _packing(path: Path) -> set[str]:
    """Return how the attributes of the first day are compressed."""
    connection = connect(path, 256)
    found = [
        connection.execute(
            f"select compression from pragma_storage_info('{table}') where column_name = '{column}' and"
            " segment_type = 'VARCHAR'"
        ).fetchall()
        for table, column in (("logs_19700101", "metadata"), ("spans_19700101", "attributes"))
    ]
    connection.close()
    assert all(found)
    return {kind for part in found for (kind,) in part}
