"""A clock that is set back by a day, or forward by an hour, while events are emitted.

Only Python's clock is stepped here. gRPC gives Python's time to a library of its own, whose clock stays: over
it every deadline would be a day off, which no real step brings about. So these tests use HTTP.
"""

from __future__ import annotations

import time
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
    counter,
    first_times,
    points,
)

HTTP = "http/protobuf"
DAY_S, HOUR_S = 86_400.0, 3600.0


@pytest.mark.parametrize(
    ("step_s", "is_down"),
    [(-DAY_S, True), (HOUR_S, False), *by_form([], [(-DAY_S, False), (HOUR_S, True)])],
)
def test_a_clock_that_is_stepped_loses_nothing_and_turns_no_time_around(
    tmp_path: Path, step_s: float, is_down: bool
) -> None:
    long_s = by_form(2.0, 20.0)
    collector = Collector(HTTP, port=free_port())
    plan = Plan(
        collector.url, str(tmp_path / "accepted"), HTTP, spool=str(tmp_path / "spool"), count=int(2000 * long_s),
        clock=((long_s, step_s),), options={"max_age_s": 2 * HOUR_S},
    )  # fmt: skip
    if not is_down:
        collector.start()
    with Emitter(plan) as emitter:
        emitter.until_ready()
        if is_down:
            time.sleep(long_s)
            collector.start()
        report = emitter.report()
    collector.stop()
    accepted = emitter.accepted()
    times = [at for _, at in accepted]
    assert max(abs(later - earlier) for earlier, later in pairwise(times)) > 3000e9
    assert counter(report, semconv.EVENTS_DROPPED) == 0
    assert first_times(arrived(collector)) == [key for key, _ in accepted]
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in collector.spans)
    check_metrics(collector)
    check_counted(collector, [key for key, _ in accepted])


def test_metrics_stay_in_order_when_a_process_starts_again_on_a_clock_set_back(tmp_path: Path) -> None:
    with Collector(HTTP) as collector:
        plan = Plan(
            collector.url,
            str(tmp_path / "accepted"),
            HTTP,
            spool=str(tmp_path / "spool"),
            count=240,
            rate=5000,
        )
        with Emitter(plan) as emitter:
            emitter.report()
        requests = len(collector.metric_requests)
        later = replace(plan, first=240, clock=((0.0, -HOUR_S),))
        with Emitter(later) as emitter:
            emitter.report()
        assert len(collector.metric_requests) > requests
        of_events = [(s, p, v) for s, p, v in points(collector) if s[1] == semconv.AGENT_INVOCATIONS]
        times = [point.time_unix_nano for series, point, _ in of_events if series == of_events[0][0]]
        assert times == sorted(set(times))
        assert all(point.start_time_unix_nano <= point.time_unix_nano for _, point, _ in points(collector))
        check_counted(collector, [key for key, _ in emitter.accepted()])
