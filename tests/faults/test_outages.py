"""A collector that is away, slow, cut off or dumb: everything arrives, once it can."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from awf.core import semconv
from tests.collector import Collector, Refusal, free_port

from ._harness import (
    PROTOCOLS,
    Emitter,
    Plan,
    arrived,
    by_form,
    check_counted,
    check_metrics,
    check_spans,
    counter,
    first_times,
)
from ._proxy import CuttingProxy, HalfOpenPeer


def plan(tmp_path: Path, url: str, protocol: str, **more: Any) -> Plan:
    return Plan(url, str(tmp_path / "accepted"), protocol, spool=str(tmp_path / "spool"), **more)


def check_all(emitter: Emitter, collector: Collector, report: dict[str, Any]) -> None:
    """Nothing was refused or lost, the order was kept, and spans and metrics are right."""
    accepted, keys = emitter.accepted(), arrived(collector)
    assert report["refused"] == 0
    assert report["flushed"]
    assert first_times(keys) == [key for key, _ in accepted]
    assert counter(report, semconv.EVENTS_DROPPED) == 0
    check_spans(collector, accepted)
    check_metrics(collector)
    check_counted(collector, [key for key, _ in accepted])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_collector_that_is_down_for_a_while_gets_everything_in_order(tmp_path: Path, protocol: str) -> None:
    away_s = by_form(3, 60)
    collector = Collector(protocol, port=free_port())
    with Emitter(plan(tmp_path, collector.url, protocol, count=1000 * (away_s + 1))) as emitter:
        emitter.until_ready()
        time.sleep(away_s)
        with collector:
            report = emitter.report()
            assert report["deepest"] > 900 * away_s
            check_all(emitter, collector, report)
    print(
        f"{protocol}: down {away_s} s, {len(emitter.accepted())} events, 0 lost, at most {report['deepest']} waited"
    )


def test_a_slow_collector_costs_the_emitter_nothing(tmp_path: Path) -> None:
    count = by_form(2500, 30_000)
    p99_us = {}
    for delay_s in (0.0, 0.5):
        folder = tmp_path / str(delay_s)
        folder.mkdir()
        with (
            Collector(delay_s=delay_s) as collector,
            Emitter(plan(folder, collector.url, "grpc", count=count)) as emitter,
        ):
            report = emitter.report()
            check_all(emitter, collector, report)
            p99_us[delay_s] = report["p99_us"]
    assert report["deepest"] < 6000  # what comes in during one round of slow requests, with much to spare
    print(
        f"p99 of emit: {p99_us[0.0]:.0f} us, with a slow collector {p99_us[0.5]:.0f} us; waited: {report['deepest']}"
    )


@pytest.mark.parametrize(
    ("protocol", "status"), [("http/protobuf", 429), ("http/protobuf", 503), ("grpc", 429)]
)
def test_a_wish_for_a_pause_is_honoured(tmp_path: Path, protocol: str, status: int) -> None:
    pause_s = by_form(1.0, 10.0)
    moments: dict[str, list[float]] = {"traces": [], "logs": [], "metrics": []}

    def refuse_the_first(signal: str, request: Any) -> Refusal | None:
        moments[signal].append(time.monotonic())
        return Refusal(status, pause_s) if len(moments[signal]) == 1 else None

    with Collector(protocol, rule=refuse_the_first) as collector:
        with Emitter(plan(tmp_path, collector.url, protocol, count=1500)) as emitter:
            report = emitter.report()
        check_all(emitter, collector, report)
    for signal, (first, second, *_) in moments.items():
        assert second - first > pause_s - 0.1, signal


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_connections_that_are_cut_in_the_middle_of_a_request_lose_nothing(
    tmp_path: Path, protocol: str
) -> None:
    seed = random.randrange(1 << 30)
    chance, ends_at = random.Random(seed), time.monotonic() + by_form(3, 30)
    print("seed", seed)

    def budget() -> int | None:
        return chance.randrange(1, 60_000) if time.monotonic() < ends_at else None

    with Collector(protocol) as collector, CuttingProxy(collector.port, budget) as proxy:
        with Emitter(plan(tmp_path, proxy.url, protocol, count=by_form(4000, 30_000))) as emitter:
            report = emitter.report()
        assert proxy.cuts > 1
        check_all(emitter, collector, report)
    print(
        f"{protocol}: {proxy.cuts} cuts, {len(collector.logs) - len(emitter.accepted())} log records sent twice"
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_peer_that_never_answers_is_given_up_and_tried_again(tmp_path: Path, protocol: str) -> None:
    with HalfOpenPeer() as peer:
        running = Emitter(plan(tmp_path, peer.url, protocol, count=1500), OTEL_EXPORTER_OTLP_TIMEOUT="0.5")
        with running as emitter:
            emitter.until_ready()
            time.sleep(by_form(1.5, 10))
            peer.close()
            with Collector(protocol, port=peer.port) as collector:
                report = emitter.report()
                check_all(emitter, collector, report)
    assert counter(report, semconv.EXPORT_RETRIES) > 0


@pytest.mark.parametrize("protocol", by_form(PROTOCOLS[:1], PROTOCOLS))
def test_a_collector_that_restarts_again_and_again_gets_everything(tmp_path: Path, protocol: str) -> None:
    collector = Collector(protocol).start()
    with Emitter(plan(tmp_path, collector.url, protocol, count=by_form(4000, 30_000))) as emitter:
        emitter.until_ready()
        for _ in range(by_form(4, 25)):
            time.sleep(random.uniform(0.1, 0.8))
            collector.stop()
            time.sleep(random.uniform(0.05, 0.3))
            collector.start()
        report = emitter.report()
        check_all(emitter, collector, report)
    collector.stop()
