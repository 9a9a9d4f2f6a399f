"""What a collector will not take: one item is set aside and the rest arrives; what may yet be put right waits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from awf.core import semconv
from awf.orchestration.spool_view import read_set_aside
from tests.collector import Collector, Refusal

from ._harness import PROTOCOLS, Emitter, Plan, arrived, by_form, check_counted, counter, first_times, until

POISON = "x7"


def refuse_poison(status: int) -> Any:
    def rule(signal: str, request: Any) -> Refusal | None:
        if signal == "traces" and any(map(is_poison, spans_of(request))):
            return Refusal(status)
        return None

    return rule


def spans_of(request: Any) -> list[Any]:
    return [s for group in request.resource_spans for scope in group.scope_spans for s in scope.spans]


def is_poison(span: Any) -> bool:
    is_agent = span.name == semconv.SPAN_AGENT_INVOKE
    return is_agent and any(a.value.string_value == POISON for a in span.attributes)


def drain_set_aside(spool: Path, collector: Collector) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "awf", "spool", "drain", "--set-aside",
         "--dir", str(spool), "--endpoint", collector.url],
        env=os.environ | {"OTEL_EXPORTER_OTLP_PROTOCOL": collector.protocol, "AWF_DATA_DIR": str(spool.parent)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("status", [400, 500])
def test_a_poisonous_item_is_set_aside_and_can_be_sent_later(
    tmp_path: Path, protocol: str, status: int
) -> None:
    spool, count = tmp_path / "spool", by_form(720, 7200)
    with Collector(protocol, rule=refuse_poison(status)) as collector:
        plan = Plan(
            collector.url, str(tmp_path / "accepted"), protocol, spool=str(spool), count=count, rate=5000
        )
        with Emitter(plan) as emitter:
            report = emitter.report()
        assert report["flushed"]
        assert counter(report, semconv.EVENTS_DROPPED, reason="rejected") == 1
        assert first_times(arrived(collector)) == [key for key, _ in emitter.accepted()]
        check_counted(collector, [key for key, _ in emitter.accepted()])
        spans = {span.span_id for span in collector.spans}
        (lane,) = spool.glob("0*")
        (entry,) = read_set_aside(lane)
        assert (entry.signal, len(entry.items)) == ("traces", 1)
        assert len(spans) == count // 2 - 1
        collector.rule = lambda signal, request: None
        assert "1 sent, 0 left" in drain_set_aside(spool, collector)
        (late,) = (span for span in collector.spans if span.span_id not in spans)
        assert is_poison(late)
        assert not (lane / "set_aside.jsonl").exists()


@pytest.mark.parametrize("status", by_form([400], [400, 500]))
def test_many_poisonous_items_cost_no_other_item(tmp_path: Path, status: int) -> None:
    def rule(signal: str, request: Any) -> Refusal | None:
        if signal == "traces" and any(span.span_id[0] < 8 for span in spans_of(request)):  # one in 32
            return Refusal(status)
        return None

    count = by_form(720, 7200)
    with Collector("http/protobuf", rule=rule) as collector:
        plan = Plan(
            collector.url, str(tmp_path / "accepted"), "http/protobuf", spool=str(tmp_path / "spool"), count=count,
            rate=5000,
        )  # fmt: skip
        with Emitter(plan) as emitter:
            report = emitter.report()
        assert report["flushed"]
        refused = counter(report, semconv.EVENTS_DROPPED, reason="rejected")
        assert 3 < refused < count // 16
        assert len({span.span_id for span in collector.spans}) == count // 2 - refused


@pytest.mark.parametrize("protocol", by_form(PROTOCOLS[1:], PROTOCOLS))
def test_a_collector_that_fails_for_everything_is_waited_for(tmp_path: Path, protocol: str) -> None:
    away_s, requests = by_form(7, 90), 0
    with Collector(protocol) as collector:
        until_at = time.monotonic() + away_s
        collector.rule = lambda signal, request: Refusal(500) if time.monotonic() < until_at else None
        plan = Plan(
            collector.url, str(tmp_path / "accepted"), protocol, spool=str(tmp_path / "spool"), count=720
        )
        with Emitter(plan) as emitter:
            until(lambda: time.monotonic() > until_at, away_s + 5)
            requests = sum(collector.requests.values())
            report = emitter.report()
        assert counter(report, semconv.EVENTS_DROPPED) == 0
        # Halves of the refused batch were tried when the errors ended: its parts may come in another order.
        came, accepted = first_times(arrived(collector)), [key for key, _ in emitter.accepted()]
        assert (len(came), set(came)) == (len(accepted), set(accepted))
    print(f"{protocol}: {requests} requests in {away_s} s of errors")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_credentials_and_addresses_set_nothing_aside(tmp_path: Path, protocol: str) -> None:
    answers = [401, 403, 404] * by_form(1, 3)

    def rule(signal: str, request: Any) -> Refusal | None:
        return Refusal(answers.pop()) if signal == "traces" and answers else None

    with Collector(protocol, rule=rule) as collector:
        plan = Plan(
            collector.url, str(tmp_path / "accepted"), protocol, spool=str(tmp_path / "spool"), count=720
        )
        with Emitter(plan) as emitter:
            report = emitter.report()
        assert not answers
        assert report["flushed"]
        assert counter(report, semconv.EVENTS_DROPPED) == 0
        assert not list(tmp_path.glob("spool/*/set_aside.jsonl"))
        assert first_times(arrived(collector)) == [key for key, _ in emitter.accepted()]
        assert len({span.span_id for span in collector.spans}) == 720 // 2
