"""Memory while the collector is away: what waits is on disk, or bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.core import semconv
from tests.collector import free_port

from ._harness import Emitter, Plan, by_form, counter

MB = 1 << 20


@pytest.mark.parametrize("has_spool", [True, False])
def test_three_times_the_events_take_no_more_memory(tmp_path: Path, has_spool: bool) -> None:
    events = by_form(45_000, 150_000)
    plan = Plan(
        f"http://127.0.0.1:{free_port()}", str(tmp_path / "accepted"), rate=1e9, count=3 * events + 1,
        spool=str(tmp_path / "spool") if has_spool else "", memory_bytes=0 if has_spool else 2 * MB,
        weigh_at=(events, 3 * events), end="shutdown", shutdown_s=0.5,
    )  # fmt: skip
    with Emitter(plan) as emitter:
        report = emitter.report()
    first, last = report["weights"]
    print(
        f"spool={has_spool}: {first / MB:.1f} MB after {events} events, {last / MB:.1f} MB after {3 * events}"
    )
    assert last - first < 12 * MB
    if has_spool:
        assert report["refused"] == 0
    else:
        assert report["refused"] == counter(report, semconv.EVENTS_DROPPED, reason="memory_full") > 0
