"""Several processes: spools left behind, ends that must not take long, forks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from awf.core import semconv
from awf.orchestration import spool_lanes
from tests.collector import Collector, Refusal, free_port

from ._harness import (
    PROTOCOLS,
    Emitter,
    Key,
    Plan,
    arrived,
    by_form,
    check_counted,
    check_metrics,
    check_spans,
    counter,
    first_times,
    points,
    until,
)
from ._proxy import HalfOpenPeer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sender", ["the living one", "awf spool drain"])
def test_what_a_killed_process_left_is_sent_in_its_name_by(tmp_path: Path, sender: str) -> None:
    refused: list[str] = []

    def refuse_some_metrics(signal: str, request: Any) -> Refusal | None:
        """What a dead process counted last is not sent again by itself."""
        if signal != "metrics" or len(refused) > 1:
            return None
        refused.append(signal)
        return Refusal(503)

    collector = Collector(port=free_port(), rule=refuse_some_metrics)
    is_living = sender == "the living one"
    plans = [
        Plan(
            collector.url, str(tmp_path / name), spool=str(tmp_path / "spool"), first=first, count=count, end=end,
            orphan_s=1.0 if is_living else 0.0,
        )
        for name, first, count, end in (("dead", 0, 960, "wait"), ("alive", 96_000, 0, "flush"))
    ]  # fmt: skip
    with Emitter(plans[0]) as dead, Emitter(plans[1]) as alive:
        until(lambda: len(dead.accepted()) == 960)
        until(lambda: len(alive.accepted()) > 100)
        lanes = {
            folder: spool_lanes.read_resource(folder)["service.instance.id"]
            for folder in (tmp_path / "spool").glob("0*")
        }
        dead.kill()
        with collector:
            orphan = next(folder for folder in lanes if not spool_lanes.is_held(folder))
            if not is_living:
                assert "960 sent, 0 left" in drain(tmp_path / "spool", collector)
            until(lambda: not orphan.exists())
            assert alive.finish().report()["flushed"]
            accepted = dead.accepted() + alive.accepted()
            assert set(arrived(collector)) == {key for key, _ in accepted}
            check_spans(collector, accepted)
            check_metrics(collector)
            check_counted(collector, [key for key, _ in accepted])
            ended = {
                series[2]: value
                for series, _, value in points(collector)
                if series[1] == semconv.STEP_DURATION
            }
            assert set(ended) == set(lanes.values())
            resources = {resource["service.instance.id"] for resource in collector.resources}
            assert resources == set(lanes.values())


def drain(spool: Path, collector: Collector) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "awf", "spool", "drain", "--dir", str(spool), "--endpoint", collector.url],
        env=os.environ | {"AWF_DATA_DIR": str(spool.parent)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def collector_that_is(state: str, protocol: str) -> Iterator[tuple[str, Collector]]:
    """Yield the address of a collector that is down, hung or slow."""
    collector = Collector(protocol, delay_s=1.0, port=free_port())
    if state == "down":
        yield collector.url, collector
    elif state == "hung":
        with HalfOpenPeer(collector.port) as peer:
            yield peer.url, collector
    else:
        with collector:
            yield collector.url, collector


CASES = list(product(["down", "hung", "slow"], PROTOCOLS, [True, False], ["shutdown", "fall"]))
# Every second in the short form: each value of each of the four is there.
SHORT = [
    case
    for case in CASES
    if (case[0] == "down") + PROTOCOLS.index(case[1]) + case[2] + (case[3] == "fall") == 2
]


@pytest.mark.parametrize(("state", "protocol", "has_spool", "end"), by_form(SHORT, CASES))
def test_an_end_takes_no_longer_than_it_may_and_loses_or_counts_what_is_left(
    tmp_path: Path, state: str, protocol: str, has_spool: bool, end: str
) -> None:
    limit_s = 1.0 if end == "shutdown" else 2.0  # the latter is what leaving the program gives it
    with collector_that_is(state, protocol) as (url, collector):
        plan = Plan(
            url, str(tmp_path / "accepted"), protocol, spool=str(tmp_path / "spool") if has_spool else "",
            count=480, end=end, shutdown_s=1.0,
        )  # fmt: skip
        with Emitter(plan) as emitter:
            report = emitter.report()
        took_s = report.get("shutdown_s", 0.0) + report["gone_after_s"]
        assert report.get("shutdown_s", 0.0) < limit_s + 0.5
        assert took_s < limit_s + 3  # a bound: the interpreter's own end is in it, on a busy machine
        accepted = [key for key, _ in emitter.accepted()]
        got = len(set(arrived(collector)))
        if not has_spool and end == "shutdown":
            assert counter(report, semconv.EVENTS_DROPPED, reason="shutdown") >= len(accepted) - got
    print(f"{state} {protocol} spool={has_spool} {end}: gone after {took_s:.2f} s")
    if has_spool:
        collector.delay_s = 0.0
        with (
            collector,
            Emitter(Plan(**{**vars_of(plan), "first": 48_000, "count": 24, "end": "flush"})) as emitter,
        ):
            assert emitter.report()["flushed"]
            assert set(arrived(collector)) == {key for key, _ in emitter.accepted()}


def vars_of(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in Plan.__dataclass_fields__}


@pytest.mark.parametrize("has_spool", [True, False])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_after_a_fork_both_go_on_and_nothing_is_lost_or_doubled(
    tmp_path: Path, protocol: str, has_spool: bool
) -> None:
    with Collector(protocol) as collector:
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "faults" / "_forking.py"), collector.url, protocol,
             str(tmp_path / "spool") if has_spool else "", str(by_form(150, 1500)), str(by_form(2, 5)),
             str(tmp_path / "accepted")],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"OTEL_METRIC_EXPORT_INTERVAL": "200", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        accepted = [
            Key(execution, kind, step.replace("-", ""), int(attempt))
            for file in tmp_path.glob("accepted.*")
            for execution, kind, step, attempt, _ in map(str.split, file.read_text().splitlines())
        ]
        assert len(accepted) == 6 * by_form(150, 1500) * (2 + by_form(2, 5))
        assert sorted(arrived(collector)) == sorted(accepted)
        assert len(collector.spans) == len(accepted) // 2
        check_metrics(collector)
        check_counted(collector, first_times(accepted))
        exported = {
            series[2]: v for series, _, v in points(collector) if series[1] == semconv.EXPORTED_EVENTS
        }
        assert sum(exported.values()) <= len(accepted)
