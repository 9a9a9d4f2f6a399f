"""What survives, and what is said when the file cannot be had."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from awf.embedded.model import LogRecord, Matcher, MatchOp, MetricMetadata, Samples, Span
from awf.embedded.store import DuckStore
from awf.errors import DataDirError

WRITER = """
import asyncio, sys
from pathlib import Path
from awf.embedded.model import LogRecord, Samples, Span
from awf.embedded.store import DuckStore

async def main():
    store = DuckStore.open(Path(sys.argv[1]))
    for number in range(100000):
        await store.write(
            samples=Samples.of([({"__name__": "m", "batch": str(number % 50)}, number, float(number))]),
            logs=[LogRecord(number, f"line {number}", {"service_name": "demo"})],
            spans=[Span(f"{number + 1:032x}", f"{number + 1:016x}", "", "work", 1, number, number + 1)],
        )
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 60:
                os.kill(process.pid, signal.SIGKILL)
                break
        rest = process.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else 60
    store = DuckStore.open(path)
    try:
        samples = {int(value) for data in store.select([], 0, 10**9) for value in data.values}
        assert samples >= set(range(acknowledged + 1))
        assert len(store.logs([], 0, 10**9)) >= acknowledged + 1
        assert len(store.trace(f"{acknowledged + 1:032x}")) == 1
    finally:
        store.close()


async def test_a_reopened_store_knows_everything(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    first = DuckStore.open(path)
    await first.write(
        samples=Samples.of([({"__name__": "m", "job": "a"}, 1000, 1.0)]),
        metadata={"m": MetricMetadata("gauge", "help", "seconds")},
        logs=[LogRecord(5, "line", {"service_name": "demo"}, {"k": "v"})],
        spans=[Span("a" * 32, "1" * 16, "", "work", 1, 5, 9)],
    )
    first.close()
    second = DuckStore.open(path)
    await second.write(
        samples=Samples.of([({"job": "a", "__name__": "m"}, 2000, 2.0), ({"__name__": "n"}, 1, 1.0)])
    )
    (data,) = second.select([Matcher("__name__", MatchOp.EQUAL, "m")], 0, 5000)
    assert data.values.tolist() == [1.0, 2.0]
    assert second.metadata() == {"m": MetricMetadata("gauge", "help", "seconds")}
    assert second.logs([], 0, 10) == [LogRecord(5, "line", {"service_name": "demo"}, {"k": "v"})]
    assert len(second.trace("a" * 32)) == 1
    assert second.stats().size_bytes > 0
    second.close()


def test_a_store_in_use_by_another_process_is_named_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            with pytest.raises(DataDirError, match="is in use by another process") as caught:
                DuckStore.open(path)
        finally:
            process.kill()
            process.stdout.read()
    assert str(path) in caught.value.message
    assert "AWF_DATA_DIR" in caught.value.hint


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(DataDirError, match=f"the data directory {tmp_path / 'data'} cannot be used"):
        DuckStore.open(tmp_path / "data" / "t.duckdb")


def test_a_file_that_is_no_store_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    path.write_text("not a database" * 1000)
    with pytest.raises(DataDirError, match="is not a telemetry store that this version can read"):
        DuckStore.open(path)
    assert path.read_text().startswith("not a database")


async def test_accepted_writes_are_committed_when_the_store_closes(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    store = DuckStore.open(path)
    writes = [
        asyncio.ensure_future(store.write(samples=Samples.of([({"__name__": "m"}, at, 1.0)])))
        for at in range(50)
    ]
    await asyncio.sleep(0)
    await asyncio.to_thread(store.close)
    await asyncio.gather(*writes)
    reopened = DuckStore.open(path)
    assert reopened.stats().samples == 50
    reopened.close()
