"""What every backlog of events does, on disk and in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awf.errors import Overloaded
from awf.orchestration.memory_spool import MemorySpool
from awf.orchestration.spool import Backlog, Spool

Make = Callable[..., Backlog]


@pytest.fixture(params=["disk", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    opened: list[Backlog] = []

    def make_one(**options: int) -> Backlog:
        if request.param == "disk":
            opened.append(Spool(tmp_path / str(len(opened)), **options))  # type: ignore[arg-type]
        else:
            opened.append(MemorySpool(max_bytes=options.get("max_bytes", 1 << 20)))
        return opened[-1]

    yield make_one
    for backlog in opened:
        backlog.close()


def everything(backlog: Backlog, position: int = 0, *, max_events: int = 7) -> list[bytes]:
    found: list[bytes] = []
    while (frames := backlog.read(position, max_events=max_events)).payloads:
        found += frames.payloads
        position = frames.end
    return found


def acknowledge(backlog: Backlog, count: int) -> None:
    """Acknowledge so many events, as far as there are any."""
    while count and (frames := backlog.read(backlog.acknowledged, max_events=count)).payloads:
        backlog.acknowledge(frames.end, len(frames.payloads))
        count -= len(frames.payloads)
    backlog.trim(backlog.acknowledged)


def fill(backlog: Backlog) -> int:
    """Append until it is full; returns how many events it took."""
    for taken in range(1000):
        try:
            backlog.append(b"x" * 20)
        except Overloaded:
            return taken
    raise AssertionError("it is never full")


def test_events_come_out_as_they_went_in(make: Make) -> None:
    backlog = make(segment_bytes=200)
    events = [f"event {number}".encode() * (number % 5) for number in range(100)]
    for event in events:
        backlog.append(event)
    assert everything(backlog) == events
    assert everything(backlog) == events, "reading takes nothing away"
    assert backlog.depth().events == 100


def test_an_empty_backlog_has_nothing_to_read(make: Make) -> None:
    backlog = make()
    assert backlog.read(0, max_events=10).payloads == []
    assert backlog.depth().events == backlog.depth().bytes == 0


def test_acknowledged_events_do_not_wait_any_more(make: Make) -> None:
    backlog = make(segment_bytes=100)
    for number in range(20):
        backlog.append(b"%04d" % number)
    frames = backlog.read(0, max_events=8)
    backlog.acknowledge(frames.end, len(frames.payloads))
    backlog.trim(frames.end)
    assert backlog.depth().events == 12
    assert everything(backlog, backlog.acknowledged) == [b"%04d" % number for number in range(8, 20)]
    rest = backlog.read(frames.end, max_events=100)
    while rest.payloads:
        backlog.acknowledge(rest.end, len(rest.payloads))
        rest = backlog.read(rest.end, max_events=100)
    assert backlog.depth().events == backlog.depth().bytes == 0
    assert backlog.acknowledged == backlog.end


def test_reading_ends_where_it_is_told_to(make: Make) -> None:
    backlog = make(segment_bytes=100)
    for number in range(30):
        backlog.append(b"%04d" % number)
    until = backlog.read(0, max_events=5).end
    position, found = 0, []
    while (frames := backlog.read(position, max_events=3, until=until)).payloads:
        found += frames.payloads
        position = frames.end
    assert found == [b"%04d" % number for number in range(5)]


def test_a_full_backlog_refuses_and_takes_again_when_there_is_room(make: Make) -> None:
    backlog = make(max_bytes=300)
    taken = fill(backlog)
    with pytest.raises(Overloaded, match="is full: 300 bytes wait"):
        backlog.append(b"x" * 20)
    assert backlog.depth().events == taken > 5
    frames = backlog.read(0, max_events=3)
    backlog.acknowledge(frames.end, 3)
    backlog.append(b"y" * 20)
    assert everything(backlog, frames.end)[-1] == b"y" * 20


def test_threads_may_append_while_one_reads(make: Make) -> None:
    backlog = make(segment_bytes=2_000)

    def append(name: int) -> None:
        for number in range(500):
            backlog.append(b"%d:%d" % (name, number))

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    found: list[bytes] = []
    position = 0
    while len(found) < 2000:
        frames = backlog.read(position, max_events=64)
        found += frames.payloads
        position = frames.end
        if not frames.payloads and not any(thread.is_alive() for thread in threads):
            found += everything(backlog, position)
            break
    for thread in threads:
        thread.join()
    for name in range(4):
        assert [e for e in found if e.startswith(b"%d:" % name)] == [b"%d:%d" % (name, n) for n in range(500)]


def test_closing_twice_is_fine(make: Make) -> None:
    backlog = make()
    backlog.append(b"x")
    backlog.sync()
    backlog.close()
    backlog.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.integers(1, 9)), max_size=60))
def test_both_kinds_answer_the_same_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, steps: list[bytes | int]
) -> None:
    """A payload is appended; a number acknowledges so many events."""
    disk, memory = Spool(tmp_path_factory.mktemp("spool"), segment_bytes=150), MemorySpool()
    for step in steps:
        for backlog in (disk, memory):
            if isinstance(step, bytes):
                backlog.append(step)
            else:
                acknowledge(backlog, step)
        assert everything(disk, disk.acknowledged) == everything(memory, memory.acknowledged)
        assert disk.depth().events == memory.depth().events
    disk.close()
