"""A spool over restarts, damage and full disks."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from awf.core.counters import Counters
from awf.core.semconv import EVENTS_DROPPED
from awf.errors import DataDirError
from awf.orchestration._segments import MAX_PAYLOAD, bases, path_of
from awf.orchestration.spool import Spool


def filled(folder: Path, count: int = 50, **options: int) -> Spool:
    spool = Spool(folder, **options)  # type: ignore[arg-type]
    for number in range(count):
        spool.append(b"event %04d" % number)
    return spool


def everything(spool: Spool) -> list[bytes]:
    found, position = [], spool.acknowledged
    while (frames := spool.read(position, max_events=1000)).payloads:
        found += frames.payloads
        position = frames.end
    return found


def events(first: int, last: int) -> list[bytes]:
    return [b"event %04d" % number for number in range(first, last)]


def test_what_waits_survives_a_restart_and_so_does_what_was_acknowledged(tmp_path: Path) -> None:
    spool = filled(tmp_path, segment_bytes=200)
    frames = spool.read(0, max_events=20)
    while len(frames.payloads) < 20:
        more = spool.read(frames.end, max_events=20 - len(frames.payloads))
        frames = frames._replace(payloads=frames.payloads + more.payloads, end=more.end)
    spool.acknowledge(frames.end, 20)
    spool.close()
    again = Spool(tmp_path)
    assert everything(again) == events(20, 50)
    assert again.depth().events == 30
    again.append(b"event 0050")
    assert everything(again) == events(20, 51)


def test_delivered_segments_are_deleted_and_positions_go_on(tmp_path: Path) -> None:
    spool = filled(tmp_path, segment_bytes=200)
    assert len(bases(tmp_path)) == 5
    spool.acknowledge(spool.end, 50)
    spool.trim(spool.end)
    assert len(bases(tmp_path)) == 1
    end = spool.end
    spool.close()
    for path in tmp_path.glob("*.segment"):
        path.unlink()
    again = Spool(tmp_path)
    assert again.end == again.acknowledged == end
    again.append(b"new")
    assert everything(again) == [b"new"]


def test_trimming_never_goes_beyond_what_was_acknowledged(tmp_path: Path) -> None:
    spool = filled(tmp_path, segment_bytes=100)
    spool.trim(spool.end)
    assert everything(spool) == events(0, 50)


def test_what_was_appended_survives_kill_9(tmp_path: Path) -> None:
    program = """
        import os, signal, sys
        from pathlib import Path
        from awf.orchestration.spool import Spool
        spool = Spool(Path(sys.argv[1]))
        for number in range(1000):
            spool.append(b"event %04d" % number)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], timeout=30)
    assert done.returncode == -signal.SIGKILL
    counters = Counters()
    assert everything(Spool(tmp_path, counters=counters)) == events(0, 1000)
    assert counters.get(EVENTS_DROPPED, reason="corrupt") == 0


@pytest.mark.parametrize("cut", [1, 5, 9, 17])
def test_a_torn_tail_is_cut_reported_and_written_over(tmp_path: Path, cut: int) -> None:
    filled(tmp_path).close()
    (path,) = tmp_path.glob("*.segment")
    os.truncate(path, path.stat().st_size - cut)
    counters = Counters()
    spool = Spool(tmp_path, counters=counters)
    assert everything(spool) == events(0, 49)
    assert counters.get(EVENTS_DROPPED, reason="corrupt") == 1
    spool.append(b"event 0049")
    spool.close()
    assert everything(Spool(tmp_path)) == events(0, 50)


def test_damage_in_the_middle_costs_the_rest_of_its_segment_only(tmp_path: Path) -> None:
    filled(tmp_path, segment_bytes=200).close()
    found = bases(tmp_path)
    path = path_of(tmp_path, found[2])
    content = bytearray(path.read_bytes())
    content[40] ^= 0xFF
    path.write_bytes(content)
    counters = Counters()
    got = everything(Spool(tmp_path, counters=counters))
    assert counters.get(EVENTS_DROPPED, reason="corrupt") >= 1
    lost = [event for event in events(0, 50) if event not in got]
    assert 0 < len(lost) <= 11
    assert got == [event for event in events(0, 50) if event not in lost]


def test_a_segment_of_nothing_and_a_file_that_is_none_are_no_obstacle(tmp_path: Path) -> None:
    spool = filled(tmp_path)
    end = spool.end
    spool.close()
    path_of(tmp_path, end).write_bytes(b"")
    (tmp_path / "notes.segment").write_text("what is this")
    again = Spool(tmp_path)
    assert everything(again) == events(0, 50)
    again.append(b"event 0050")
    assert everything(again) == events(0, 51)


@pytest.mark.parametrize("text", ["", "garbage", "-5", "99999999999999999999", f"{700:020d} 00000000\n"])
def test_a_damaged_cursor_loses_nothing_that_was_not_sent(tmp_path: Path, text: str) -> None:
    filled(tmp_path).close()
    (tmp_path / "cursor").write_text(text)
    spool = Spool(tmp_path)
    assert everything(spool) == events(0, 50)
    spool.append(b"next")
    assert everything(spool)[-1] == b"next"


def test_an_event_larger_than_what_is_read_at_once_comes_out_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    large = os.urandom(MAX_PAYLOAD)
    for payload in (b"small", large, b"after"):
        spool.append(payload)
    assert everything(spool) == [b"small", large, b"after"]


def test_an_event_that_could_not_be_read_again_is_not_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(ValueError, match=f"{MAX_PAYLOAD + 1:,} bytes"):
        spool.append(b"x" * (MAX_PAYLOAD + 1))
    assert everything(spool) == []


def test_a_disk_that_is_full_refuses_keeps_what_it_has_and_recovers(tmp_path: Path) -> None:
    spool = filled(tmp_path, 10)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (spool.end + 10, before[1]))
        for _ in range(3):  # a part of it would fit
            with pytest.raises(OSError, match=r"space|too large"):
                spool.append(b"event 0010")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    spool.append(b"event 0010")
    assert everything(spool) == events(0, 11)
    spool.close()
    assert everything(Spool(tmp_path)) == events(0, 11)


def test_syncing_reaches_segments_that_were_left_meanwhile(tmp_path: Path) -> None:
    spool = filled(tmp_path, segment_bytes=100)
    assert spool._unsynced
    spool.sync()
    assert not spool._unsynced
    spool.append(b"more")
    spool.sync()
    spool.close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match=r"spool in .*file"):
        Spool(tmp_path / "file")


def test_events_that_are_damaged_while_they_wait_wait_no_longer_than_the_others(tmp_path: Path) -> None:
    spool = filled(tmp_path)
    path = path_of(tmp_path, 0)
    content = bytearray(path.read_bytes())
    content[40:-40] = bytes(len(content) - 80)
    path.write_bytes(content)
    position = 0
    while (frames := spool.read(position, max_events=1000)).payloads:
        spool.acknowledge(frames.end, len(frames.payloads))
        position = frames.end
    assert spool.acknowledged == spool.end
    assert spool.depth().events == 0
    spool.close()


def test_a_sync_without_a_free_descriptor_forgets_no_segment(tmp_path: Path) -> None:
    spool = filled(tmp_path, segment_bytes=200)
    full = dict(spool._unsynced)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            spool.sync()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert spool._unsynced == full
    spool.sync()
    assert spool._unsynced == {}
    spool.close()
