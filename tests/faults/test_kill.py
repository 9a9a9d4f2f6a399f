"""`kill -9` of the emitting process, again and again: nothing lost, nothing told twice in two ways."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.collector import Collector

from ._harness import (
    PROTOCOLS,
    Emitter,
    Plan,
    arrived,
    by_form,
    check_counted,
    check_metrics,
    check_spans,
    first_times,
)


def kill_again_and_again(plan: Plan, kills: int, longest_s: float, seed: int) -> Emitter:
    """Kill the emitter at random moments; each one goes on behind the event its forerunner may have lost."""
    chance, first = random.Random(seed), 0
    for number in range(kills + 1):
        is_last = number == kills
        emitter = Emitter(replace(plan, first=first, count=1000 if is_last else 0)).until_ready()
        if is_last:
            return emitter
        time.sleep(chance.uniform(0.05, longest_s))
        emitter.kill()
        # `first` counts events that were offered: those accepted and one for each kill.
        first = len(emitter.accepted()) + number + 1
    raise AssertionError("unreachable")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_kill_9_at_random_moments_loses_and_doubles_nothing(tmp_path: Path, protocol: str) -> None:
    kills, seed = by_form(4, 20), random.randrange(1 << 30)
    print("seed", seed)
    with Collector(protocol, delay_s=0.03) as collector:  # kills hit requests under way, too
        plan = Plan(
            collector.url, str(tmp_path / "accepted"), protocol, spool=str(tmp_path / "spool"),
            snapshot_s=by_form(0.5, 0.0),
        )  # fmt: skip
        with kill_again_and_again(plan, kills, by_form(1.5, 14.0), seed) as emitter:
            assert emitter.report()["flushed"]
        accepted, keys = emitter.accepted(), first_times(arrived(collector))
        lost = {key for key, _ in accepted} - set(keys)
        assert not lost
        unsaid = set(keys) - {key for key, _ in accepted}
        assert len(unsaid) <= kills
        check_spans(collector, accepted)
        check_metrics(collector)
        check_counted(collector, keys)
        assert len({resource["service.instance.id"] for resource in collector.resources}) == 1
    print(f"{protocol}: {kills} kills, {len(accepted)} events accepted, {len(keys)} arrived, "
          f"{len(collector.logs) - len(keys)} log records sent twice")  # fmt: skip
