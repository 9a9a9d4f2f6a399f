"""Group commit: sharing, bounds, and one caller's mistake."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from awf.embedded.model import LogRecord, Samples
from awf.embedded.store import MemoryStore
from awf.embedded.store.rows import Rows
from awf.embedded.store.writer import GroupWriter
from awf.errors import Overloaded, Unavailable


class Disk:
    """Stands in for the database: holds commits until it is told to go on."""

    def __init__(self) -> None:
        self.commits: list[int] = []
        self.go_on = threading.Event()
        self.entered = threading.Event()

    def commit(self, writes: Sequence[Rows]) -> list[int]:
        self.entered.set()
        assert self.go_on.wait(10)
        if any(label == "bad" for rows in writes for labels, _, _ in rows.samples.rows() for label in labels):
            raise ValueError("bad row")
        self.commits.append(len(writes))
        return [0] * len(writes)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def writer(disk: Disk) -> Iterator[GroupWriter]:
    opened = GroupWriter(disk.commit, max_pending_rows=10)
    yield opened
    disk.go_on.set()
    opened.close()


def rows(count: int = 1, label: str = "good") -> Rows:
    return Rows(samples=Samples.of([({label: "1"}, 1, 1.0)] * count))


def test_writes_that_wait_share_one_commit(disk: Disk, writer: GroupWriter) -> None:
    first = writer.submit(rows())
    assert disk.entered.wait(10)
    waiting = [writer.submit(rows()) for _ in range(5)]
    assert not first.done()
    disk.go_on.set()
    for future in (first, *waiting):
        assert future.result(timeout=10) == 0
    assert disk.commits == [1, 5]
    assert writer.pending_rows == 0


def test_a_full_queue_refuses_and_recovers(disk: Disk, writer: GroupWriter) -> None:
    accepted = writer.submit(rows(8))
    with pytest.raises(Overloaded, match="8 rows waiting"):
        writer.submit(rows(3))
    disk.go_on.set()
    accepted.result(timeout=10)
    writer.run(lambda: None).result(timeout=10)
    assert writer.submit(rows(3)).result(timeout=10) == 0


def test_a_write_above_the_bound_passes_when_nothing_waits(disk: Disk, writer: GroupWriter) -> None:
    disk.go_on.set()
    assert writer.submit(rows(100)).result(timeout=10) == 0


def test_one_bad_write_does_not_fail_the_others(disk: Disk, writer: GroupWriter) -> None:
    writer.submit(rows())
    assert disk.entered.wait(10)
    good, bad, also_good = writer.submit(rows()), writer.submit(rows(label="bad")), writer.submit(rows())
    disk.go_on.set()
    assert good.result(timeout=10) == 0
    assert also_good.result(timeout=10) == 0
    with pytest.raises(Unavailable, match="bad row"):
        bad.result(timeout=10)


def test_a_cancelled_write_that_waits_is_not_made(disk: Disk, writer: GroupWriter) -> None:
    writer.submit(rows())
    assert disk.entered.wait(10)
    assert writer.submit(rows()).cancel()
    kept = writer.submit(rows())
    disk.go_on.set()
    kept.result(timeout=10)
    assert disk.commits == [1, 1]
    writer.run(lambda: None).result(timeout=10)
    assert writer.pending_rows == 0


def test_a_closed_writer_refuses(disk: Disk, writer: GroupWriter) -> None:
    disk.go_on.set()
    writer.close()
    with pytest.raises(Unavailable):
        writer.submit(rows())


async def test_a_row_the_database_cannot_hold_fails_its_own_write_only() -> None:
    store = MemoryStore()
    good = store.write(samples=Samples.of([({"__name__": "m"}, 1, 1.0)]))
    bad = store.write(samples=Samples.of([({"__name__": "never"}, 1, 1.0)]), logs=[LogRecord(2**70, "", {})])
    results = await asyncio.gather(good, bad, return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], Unavailable)
    assert [data.labels["__name__"] for data in store.select([], 0, 10)] == ["m"]
    assert store.stats().series == 1
    store.close()
