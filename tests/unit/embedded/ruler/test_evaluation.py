"""Recording rules and the life of alerts, as the store and the API see them."""

from __future__ import annotations

import asyncio
import math
import struct
from itertools import pairwise

from awf.core import semconv
from awf.embedded.contracts import Refusal
from awf.embedded.model import STALE_NAN_BITS
from awf.errors import QueryError

RULES = """
groups:
- name: g
  interval: 10s
  rules:
  - record: r:x
    expr: rec
    labels: {source: rule}
  - alert: Slow
    expr: slow
    for: 20s
    keep_firing_for: 15s
    labels: {severity: warning, host: "on {{ $labels.host }}", gone: ""}
    annotations: {summary: "{{ $labels.host }} at {{ $value }}"}
"""


def bits(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


async def test_recorded_series_take_the_rules_name_and_labels_and_end_with_a_stale_marker(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["rec"] = [({"__name__": "up", "a": "1"}, 2.0), ({"a": "2"}, math.nan)]
    await s.step()
    (first, second) = s.sink.take()
    assert first == ({"__name__": "r:x", "a": "1", "source": "rule"}, s.clock.ms, 2.0)
    assert math.isnan(second[2])
    s.engine.answers["rec"] = [({"a": "1"}, 3.0)]
    await s.step(10)
    kept, ended = s.sink.take()
    assert kept[2] == 3.0
    assert ended[0] == {"__name__": "r:x", "a": "2", "source": "rule"}
    assert bits(ended[2]) == STALE_NAN_BITS
    await s.step(10)
    assert len(s.sink.take()) == 1


async def test_scalar_is_recorded_as_the_series_without_labels(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["rec"] = type("Scalar", (), {"value": 1.5})()
    await s.step()
    assert s.sink.take() == [({"__name__": "r:x", "source": "rule"}, s.clock.ms, 1.5)]


async def test_alert_waits_for_its_for_fires_keeps_firing_and_resolves(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["slow"] = [({"__name__": "m", "host": "a"}, 1.0)]
    seen = []
    for _ in range(4):
        await s.step(10)
        seen += s.states()
    assert seen == ["pending", "pending", "firing", "firing"]
    s.engine.answers["slow"] = []
    await s.step(10)
    (kept,) = s.ruler.alerts()
    assert kept["keepFiringSince"].endswith("Z")
    await s.step(10)
    assert s.states() == ["firing"]
    await s.step(10)
    assert s.states() == []


async def test_pending_alert_that_clears_is_forgotten(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["slow"] = [({"host": "a"}, 1.0)]
    await s.step(10)
    s.engine.answers["slow"] = []
    await s.step(10)
    s.engine.answers["slow"] = [({"host": "a"}, 1.0)]
    await s.step(10)
    assert s.states() == ["pending"]
    assert s.receiver.take() == []


async def test_alert_series_are_written_as_prometheus_does(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["slow"] = [({"__name__": "m", "host": "a"}, 1.0)]
    await s.step()
    began, labels = s.clock.ms, {"alertname": "Slow", "host": "on a", "severity": "warning"}
    assert s.sink.take() == [
        ({**labels, "__name__": "ALERTS", "alertstate": "pending"}, began, 1.0),
        ({**labels, "__name__": "ALERTS_FOR_STATE"}, began, began // 1000),
    ]
    await s.step(20)
    firing, since, ended = s.sink.take()
    assert firing[0]["alertstate"] == "firing"
    assert since[2] == began // 1000
    assert ended[0]["alertstate"] == "pending"
    assert bits(ended[2]) == STALE_NAN_BITS


async def test_annotations_follow_the_value_and_labels_are_templates(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["slow"] = [({"host": "a"}, 1.0)]
    await s.step()
    s.engine.answers["slow"] = [({"host": "a"}, 0.25)]
    await s.step(10)
    (alert,) = s.ruler.alerts()
    assert alert["annotations"] == {"summary": "a at 0.25"}
    assert alert["labels"] == {"alertname": "Slow", "host": "on a", "severity": "warning"}
    assert alert["value"] == "2.5e-01"


async def test_failing_rule_is_counted_and_shown_and_the_next_rule_runs(stage) -> None:
    s = await stage(RULES)
    s.engine.answers = {"rec": QueryError("1:1: no"), "slow": [({"host": "a"}, 1.0)]}
    await s.step()
    record, alert = s.ruler.groups()[0]["rules"]
    assert (record["health"], record["lastError"], alert["health"]) == ("err", "1:1: no", "ok")
    assert s.counters.get(semconv.RULER_EVALUATION_FAILURES, group="g") == 1
    assert s.counters.get(semconv.RULER_EVALUATIONS, group="g") == 2
    s.engine.answers["rec"] = []
    await s.step(10)
    assert s.ruler.groups()[0]["rules"][0]["health"] == "ok"


async def test_failing_alert_rule_keeps_its_alerts(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["slow"] = [({"host": "a"}, 1.0)]
    await s.step()
    await s.step(20)
    for broken in (RuntimeError("boom"), type("String", (), {"value": "text"})()):
        s.engine.answers["slow"] = broken
        await s.step(10)
        assert s.states() == ["firing"]
        assert s.ruler.groups()[0]["rules"][1]["health"] == "err"


async def test_series_that_become_equal_are_an_error(stage) -> None:
    s = await stage(RULES)
    s.engine.answers = {
        "rec": [({"__name__": "a"}, 1.0), ({"__name__": "b"}, 2.0)],
        "slow": [({"__name__": "a"}, 1.0), ({"__name__": "b"}, 2.0)],
    }
    await s.step()
    assert all("same labels" in rule["lastError"] for rule in s.ruler.groups()[0]["rules"])
    assert s.sink.take() == []


async def test_rules_have_prometheus_shape(stage) -> None:
    s = await stage(RULES)
    (group,) = s.ruler.groups()
    assert (group["name"], group["file"], group["interval"]) == ("g", "alerts/file.yaml", 10)
    record, alert = group["rules"]
    assert record["type"] == "recording"
    assert record["health"] == "unknown"
    assert record["lastEvaluation"] == "0001-01-01T00:00:00Z"
    assert alert.items() >= {
        "type": "alerting", "state": "inactive", "duration": 20, "keepFiringFor": 15, "alerts": [],
    }.items()  # fmt: skip
    assert alert["annotations"] == {"summary": "{{ $labels.host }} at {{ $value }}"}


async def test_groups_are_evaluated_on_their_own_and_missed_times_are_counted(stage) -> None:
    s = await stage(RULES.replace("10s", "20ms"))
    s.engine.answers["rec"] = [({}, 1.0)]
    await s.ruler.start()
    async with asyncio.timeout(10):
        while len({at for _, at, _ in s.sink.samples}) < 3:
            s.clock.ms += 20
            await asyncio.sleep(0.005)
        times = sorted({at for _, at, _ in s.sink.samples})
        assert {later - at for at, later in pairwise(times)} <= {20 * n for n in range(1, 50)}
        s.clock.ms += 1000
        while s.counters.get(semconv.RULER_EVALUATIONS_MISSED, group="g") < 40:
            await asyncio.sleep(0.005)
        await s.ruler.stop()


async def test_a_rule_whose_series_the_store_has_no_room_for_says_so(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["rec"] = [({"a": "1"}, 2.0)]
    s.sink.refusal = Refusal(1, "the series is new")
    await s.step()
    record = s.ruler.groups()[0]["rules"][0]
    assert record["health"] == "err"
    assert record["lastError"] == "1 samples of the rule were left out: the series is new"
