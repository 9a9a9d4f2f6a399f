"""No room: a disk, a spool or its age bound that is reached. What was accepted arrives, the rest is counted."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from awf.core import semconv
from tests.collector import Collector, free_port

from ._harness import (
    Emitter,
    Plan,
    arrived,
    by_form,
    check_counted,
    check_metrics,
    check_spans,
    counter,
    first_times,
    until,
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        is_mounted = subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode == 0
    except FileNotFoundError:
        is_mounted = False
    if not is_mounted:
        pytest.skip(
            "a small disk needs root and the right to mount; the limit of a file's size is tested anyway"
        )
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


def check_all(emitter: Emitter, collector: Collector) -> None:
    accepted = emitter.accepted()
    assert first_times(arrived(collector)) == [key for key, _ in accepted]
    check_spans(collector, accepted)
    check_metrics(collector)
    check_counted(collector, [key for key, _ in accepted])


def check_room_returned(emitter: Emitter, refused: float) -> None:
    """Events were accepted both before and after some were not."""
    accepted = emitter.accepted()
    gaps_ns = [later - earlier for (_, earlier), (_, later) in pairwise(accepted)]
    assert refused > 0
    assert max(gaps_ns) > 100e6


def test_a_full_disk_refuses_events_and_takes_them_again_when_others_were_delivered(
    tmp_path: Path, small_disk: Path
) -> None:
    collector = Collector(port=free_port())
    plan = Plan(
        collector.url, str(tmp_path / "accepted"), spool=str(small_disk / "spool"), count=0, rate=2000,
        snapshot_s=0.5,
    )  # fmt: skip
    with Emitter(plan) as emitter:
        emitter.until_ready()
        until(lambda: "event not delivered" in emitter.terminal.read_text())
        with collector:
            emitter.until_more(by_form(1000, 20_000))
            report = emitter.finish().report()
            assert report["flushed"]
            assert report["refused"] == counter(report, semconv.EVENTS_DROPPED, reason="spool_failed")
            check_room_returned(emitter, report["refused"])
            check_all(emitter, collector)
            with Emitter(replace(plan, first=100_000, count=1000)) as again:
                assert again.report()["refused"] == 0
            check_all(again, collector)
    print(f"{report['refused']} refused, {len(emitter.accepted())} accepted and arrived")


def test_a_disk_filled_by_others_costs_neither_events_nor_counters(tmp_path: Path, small_disk: Path) -> None:
    junk = small_disk / "junk"
    with Collector() as collector:
        plan = Plan(
            collector.url, str(tmp_path / "accepted"), spool=str(small_disk / "spool"), count=0,
            end="wait", snapshot_s=0.3,
        )  # fmt: skip
        for number in range(by_form(2, 8)):
            with Emitter(replace(plan, first=number * 1_000_000)) as emitter:
                emitter.until_ready()
                emitter.until_more(300)
                with contextlib.suppress(OSError), junk.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
                time.sleep(by_form(1.0, 3.0))
                if number % 2:
                    emitter.kill()  # also while there is no room
                junk.unlink()
                if not number % 2:
                    emitter.until_more(300)
        with Emitter(replace(plan, first=999_000_000, count=500, end="flush")) as emitter:
            report = emitter.report()
        assert report["flushed"]
        keys = first_times(arrived(collector))
        accepted = emitter.accepted()
        assert not {key for key, _ in accepted} - set(keys)
        check_spans(collector, accepted)
        check_metrics(collector)
        check_counted(collector, keys)


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path) -> None:
    collector = Collector(port=free_port())
    plan = Plan(
        collector.url, str(tmp_path / "accepted"), spool=str(tmp_path / "spool"), count=0, snapshot_s=0.3,
        file_size=400_000,
    )  # fmt: skip
    with Emitter(plan) as emitter:
        emitter.until_ready()
        until(lambda: "event not delivered" in emitter.terminal.read_text())
        time.sleep(0.5)
        with collector:
            emitter.until_more(500)
            report = emitter.finish().report()
            assert report["refused"] == counter(report, semconv.EVENTS_DROPPED, reason="spool_failed")
            check_room_returned(emitter, report["refused"])
            check_all(emitter, collector)


def test_a_full_spool_refuses_events_until_others_were_delivered(tmp_path: Path) -> None:
    collector = Collector(port=free_port())
    plan = Plan(
        collector.url, str(tmp_path / "accepted"), spool=str(tmp_path / "spool"), count=0,
        options={"max_bytes": 200_000},
    )  # fmt: skip
    with Emitter(plan) as emitter:
        emitter.until_ready()
        until(lambda: "event not delivered" in emitter.terminal.read_text())
        time.sleep(0.3)
        with collector:
            emitter.until_more(by_form(500, 20_000))
            report = emitter.finish().report()
            assert report["refused"] == counter(report, semconv.EVENTS_DROPPED, reason="spool_full")
            check_room_returned(emitter, report["refused"])
            check_all(emitter, collector)


def test_events_beyond_the_age_bound_are_given_up_and_counted_later_ones_arrive(tmp_path: Path) -> None:
    collector = Collector(port=free_port())
    plan = Plan(
        collector.url, str(tmp_path / "accepted"), spool=str(tmp_path / "spool"), count=by_form(5000, 30_000),
        options={"max_age_s": 1.0},
    )  # fmt: skip
    with Emitter(plan) as emitter:
        emitter.until_ready()
        time.sleep(by_form(3.5, 20))
        with collector:
            report = emitter.report()
            keys, accepted = first_times(arrived(collector)), emitter.accepted()
            expired = counter(report, semconv.EVENTS_DROPPED, reason="expired")
            assert 0 < expired == len(accepted) - len(keys)
            assert keys[-500:] == [key for key, _ in accepted[-500:]]
            check_metrics(collector)
            check_counted(collector, [key for key, _ in accepted])
    print(f"{expired:.0f} events expired, {len(keys)} arrived")
