"""What `awf embedded export` writes, `import` reads back: the same rows, however often."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from awf.embedded.model import LogRecord, Matcher, MatchOp, Samples, Span
from awf.embedded.store import DuckStore, MemoryStore
from awf.embedded.store.rewrite import rewrite
from awf.embedded.store.samples import STALE
from awf.embedded.store.transfer import export, load
from awf.errors import InvalidInput

END = 10**14
ROWS = [
    ({"__name__": "m_total", "job": 'a "quoted" \\ {b}\n'}, 1_700_000_000_123, 1.5),
    ({"__name__": "m_total", "job": "b"}, 1_700_000_000_000, math.inf),
    ({"__name__": "m_total", "job": "b"}, 1_700_000_015_000, math.nan),
    ({"__name__": "a"}, 1_700_090_000_000, -0.25),
]
LOG = LogRecord(1_700_000_000_000_000_000, "line\n", {"service_name": "a"}, {"k": "v"})
SPAN = Span("a" * 32, "1" * 16, "", "work", 1, 1_700_000_000_000_000_000, 1_700_000_000_000_000_005)


@pytest.fixture
def store() -> Iterator[DuckStore]:
    opened = MemoryStore()
    yield opened
    opened.close()


async def fill(store: DuckStore) -> None:
    await store.write(samples=Samples.of(ROWS), logs=[LOG], spans=[SPAN])


def content(store: DuckStore) -> list[object]:
    series = sorted(store.select([], 0, END), key=lambda data: sorted(data.labels.items()))
    return [
        (data.labels, data.timestamps_ms.tolist(), data.values.view(np.int64).tolist()) for data in series
    ]


async def test_parquet_brings_back_every_row_of_every_signal_however_often(
    store: DuckStore, tmp_path: Path
) -> None:
    await fill(store)
    await store.write(samples=Samples.of([({"__name__": "a"}, 1_700_090_015_000, STALE)]))
    rows = export(store, tmp_path / "out", form="parquet", matchers=[], start_ms=0, end_ms=END)
    assert rows == {"samples": 5, "logs": 1, "spans": 1}
    other = MemoryStore()
    for _ in range(2):
        assert load(other, tmp_path / "out") == (rows, [])
        assert content(other) == content(store)
        assert other.logs([], 0, 2 * 10**18) == [LOG]
        assert other.trace(SPAN.trace_id) == [SPAN]
    other.close()


async def test_openmetrics_brings_back_the_samples_that_match_and_promtool_takes_it(
    store: DuckStore, tmp_path: Path
) -> None:
    await fill(store)
    target = tmp_path / "all.om"
    assert export(store, target, form="openmetrics", matchers=[], start_ms=0, end_ms=END) == {"samples": 4}
    other = MemoryStore()
    assert load(other, target) == ({"samples": 4}, [])
    assert content(other) == content(store)
    other.close()
    matcher = Matcher("job", MatchOp.EQUAL, "b")
    some = export(store, tmp_path / "b.om", form="openmetrics", matchers=[matcher], start_ms=0, end_ms=END)
    assert some == {"samples": 2}
    if promtool := shutil.which("promtool"):
        command = [
            promtool,
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            str(target),
            str(tmp_path / "blocks"),
        ]
        subprocess.run(command, check=True, capture_output=True)


async def test_a_wrong_line_is_named_by_its_number_and_the_others_are_stored(
    store: DuckStore, tmp_path: Path
) -> None:
    source = tmp_path / "in.om"
    source.write_text(
        'm 1 1700000000\n{a="b"} 1\nm{a=b} 1 1700000000\nm x 1700000000\nm 2 1700000015\n# EOF\n'
    )
    rows, problems = load(store, source)
    assert rows == {"samples": 2}
    assert [problem.split(":")[0] for problem in problems] == ["line 2", "line 3", "line 4"]
    (data,) = store.select([], 0, END)
    assert data.values.tolist() == [1.0, 2.0]


async def test_an_export_never_overwrites(store: DuckStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="exists already"):
        export(store, tmp_path, form="parquet", matchers=[], start_ms=0, end_ms=END)


async def test_a_rewritten_file_is_smaller_and_has_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    store = DuckStore.open(path)
    day = 86_400_000
    for at in range(3):
        lines = [
            LogRecord(at * day * 10**6 + n, f"{n * 7919} {n}" * 20, {"service_name": "a"})
            for n in range(9000)
        ]
        await store.write(logs=lines)
    await store.sweep(older_than_ms=2 * day)
    await store.write(samples=Samples.of(ROWS), spans=[SPAN])
    wanted = content(store), len(store.logs([], 0, END * 10**6))
    store.close()
    before, after = rewrite(path, 256)
    assert after < before
    reopened = DuckStore.open(path)
    assert (content(reopened), len(reopened.logs([], 0, END * 10**6))) == wanted
    assert reopened.trace(SPAN.trace_id) == [SPAN]
    reopened.close()
    assert [file.name for file in tmp_path.iterdir()] == ["t.duckdb"]
