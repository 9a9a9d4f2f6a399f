"""What reaches the receiver, when, and in which shape; over failures, silences and restarts."""

from __future__ import annotations

import httpx
import pytest

from awf.core import semconv
from awf.embedded.ruler import Ruler, RulerConfig
from awf.embedded.ruler.silences import Silence, SilenceMatcher
from awf.errors import ConfigError, InvalidInput, NotFound

RULES = """
groups:
- name: g
  rules:
  - alert: Down
    expr: down
    labels: {severity: critical}
    annotations:
      summary: "{{ $labels.host }} is down"
      __dashboardUid__: awf-overview
      __panelId__: "2"
  - alert: Full
    expr: full
"""


def down(*hosts: str, value: float = 0.5):
    return [({"host": host}, value) for host in hosts]


async def test_first_notification_has_every_field_of_grafanas_body(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    assert s.receiver.take() == []  # group_wait
    await s.step(2)
    (body,) = s.receiver.take()
    (alert,) = body.pop("alerts")
    labels = {"alertname": "Down", "grafana_folder": "AWF", "host": "a", "severity": "critical"}
    message = body.pop("message")
    assert body == {
        "receiver": "awf-watcher", "status": "firing", "groupLabels": {"alertname": "Down"},
        "commonLabels": labels, "commonAnnotations": {"summary": "a is down"},
        "externalURL": "http://grafana.test/", "version": "1", "groupKey": '{}:{alertname="Down"}',
        "truncatedAlerts": 0, "orgId": 1, "appVersion": "13.2.3",
        "title": "[FIRING:1] Down (AWF a critical)", "state": "alerting",
    }  # fmt: skip
    fingerprint = alert.pop("fingerprint")
    assert len(fingerprint) == 16
    assert int(fingerprint, 16) >= 0
    start = s.clock.ms - 2000
    window = f"from={start - 3_600_000}&orgId=1&to={s.clock.ms}"
    assert alert == {
        "status": "firing", "labels": labels, "annotations": {"summary": "a is down"},
        "startsAt": s.ruler.alerts()[0]["activeAt"], "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://grafana.test/alerting/grafana/down/view?orgId=1",
        "silenceURL": "http://grafana.test/alerting/silence/new?alertmanager=grafana"
        "&matcher=alertname%3DDown&matcher=grafana_folder%3DAWF&matcher=host%3Da"
        "&matcher=severity%3Dcritical&orgId=1",
        "dashboardURL": f"http://grafana.test/d/awf-overview?{window}",
        "panelURL": f"http://grafana.test/d/awf-overview?{window}&viewPanel=2",
        "ruleUID": "down", "values": {"A": 0.5}, "orgId": 1,
        "valueString": "[ var='A' labels={alertname=Down, grafana_folder=AWF, host=a, severity=critical} "
        "value=0.5 ]",
    }  # fmt: skip
    assert message.startswith("**Firing**\n\nValue: A=0.5\nLabels:\n - alertname = Down\n")
    assert "Source: http://grafana.test/alerting/grafana/down/view?orgId=1\n" in message
    headers = s.receiver.requests[0].headers
    assert headers["User-Agent"] == "Grafana"
    assert headers["X-Grafana-Alerting-Timestamp"] == str(s.clock.ms // 1000)


async def test_news_waits_for_the_group_interval_and_resolved_is_sent_once(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.step(2)
    (first,) = s.receiver.take()
    s.engine.answers["down"] = down("a", "b")
    await s.step(30)
    assert s.receiver.take() == []
    await s.step(30)
    (second,) = s.receiver.take()
    assert [alert["labels"]["host"] for alert in second["alerts"]] == ["a", "b"]
    assert second["alerts"][0]["startsAt"] == first["alerts"][0]["startsAt"]
    s.engine.answers["down"] = down("b")
    await s.step(60)
    (third,) = s.receiver.take()
    assert [alert["status"] for alert in third["alerts"]] == ["firing", "resolved"]
    assert third["alerts"][1]["endsAt"] > third["alerts"][1]["startsAt"]
    assert third["title"] == "[FIRING:1, RESOLVED:1] Down (AWF critical)"
    s.engine.answers["down"] = []
    await s.step(60)
    (fourth,) = s.receiver.take()
    assert (fourth["status"], fourth["state"], len(fourth["alerts"])) == ("resolved", "ok", 1)
    assert fourth["title"].startswith("[RESOLVED] Down")
    for _ in range(3):
        await s.step(60)
    assert s.receiver.take() == []


async def test_alerts_of_different_names_go_apart(stage) -> None:
    s = await stage(RULES)
    s.engine.answers = {"down": down("a"), "full": down("a")}
    await s.step()
    await s.step(2)
    assert sorted(body["groupLabels"]["alertname"] for body in s.receiver.take()) == ["Down", "Full"]


async def test_alert_over_before_the_group_wait_is_never_told(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    s.engine.answers["down"] = []
    await s.step(2)
    await s.step(120)
    assert s.receiver.take() == []


async def test_unchanged_alert_is_repeated_after_the_repeat_interval(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.step(2)
    s.receiver.take()
    await s.step(14_000)
    assert s.receiver.take() == []
    await s.step(400)
    assert len(s.receiver.take()) == 1


@pytest.mark.parametrize(
    ("status", "error", "retry_s", "outcome"),
    [
        (503, None, 60, "refused"),
        (302, None, 60, "refused"),
        (202, httpx.ReadTimeout("slow"), 60, "refused"),
        (202, httpx.ConnectError("nobody"), 10, "unreachable"),
    ],
)
async def test_failed_delivery_stays_due(stage, status, error, retry_s, outcome) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    s.receiver.status, s.receiver.error = status, error
    await s.step()
    await s.step(2)
    assert s.counters.get(semconv.RULER_NOTIFICATIONS, outcome=outcome) == 1
    s.receiver.status, s.receiver.error = 202, None
    await s.step(retry_s - 1)
    assert s.receiver.take() == []
    await s.step(1)
    assert len(s.receiver.take()) == 1


async def test_resolved_that_was_not_delivered_is_sent_later(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.step(2)
    s.receiver.take()
    s.engine.answers["down"] = []
    s.receiver.error = httpx.ConnectError("nobody")
    for _ in range(5):
        await s.step(600)
    s.receiver.error = None
    await s.step(600)
    (body,) = s.receiver.take()
    assert body["status"] == "resolved"


async def test_restart_neither_repeats_nor_moves_the_start_and_then_resolves(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.step(2)
    (first,) = s.receiver.take()
    await s.restart()
    assert s.states() == ["firing"]
    await s.step(60)
    assert s.receiver.take() == []
    s.engine.answers["down"] = []
    await s.step(60)
    (last,) = s.receiver.take()
    assert last["status"] == "resolved"
    assert last["alerts"][0]["startsAt"] == first["alerts"][0]["startsAt"]
    assert last["alerts"][0]["fingerprint"] == first["alerts"][0]["fingerprint"]


async def test_restart_sends_what_was_due(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.restart()
    await s.step(600)
    assert len(s.receiver.take()) == 1


async def test_downtime_does_not_count_towards_for(stage) -> None:
    s = await stage(RULES.replace("expr: full", "expr: full\n    for: 1m"))
    s.engine.answers["full"] = down("a")
    await s.step()
    await s.step(30)
    await s.restart(downtime_s=3600)
    await s.step()
    assert s.states() == ["pending"]
    await s.step(30)
    assert s.states() == ["firing"]


async def test_alert_of_a_rule_that_is_gone_resolves_after_a_restart(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.step(2)
    s.receiver.take()
    file = s.directory / "rules" / "alerts" / "file.yaml"
    file.write_text(RULES.replace("alert: Down", "alert: Other").replace("expr: down", "expr: other"))
    await s.restart()
    await s.step(60)
    (body,) = s.receiver.take()
    assert body["alerts"][0]["status"] == "resolved"


async def test_state_that_cannot_be_read_is_put_aside(stage) -> None:
    s = await stage(RULES)
    await s.ruler.stop()
    (s.directory / "ruler.json").write_text('{"alerts": 1}')
    await s.restart()
    assert (s.directory / "ruler.broken").exists()


async def test_value_that_json_cannot_hold_is_null(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a", value=float("inf"))
    await s.step()
    await s.step(2)
    (body,) = s.receiver.take()
    assert body["alerts"][0]["values"] is None
    assert body["alerts"][0]["valueString"].endswith("value=+Inf ]")


async def test_storm_is_cut_and_counted(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down(*(f"host-{n}" for n in range(450)))
    await s.step()
    await s.step(2)
    (body,) = s.receiver.take()
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (100, 350)


def silence(s, *matchers: tuple[str, str, bool, bool], start_s: float = 0, end_s: float = 3600) -> Silence:
    at = s.clock.ms
    return Silence(
        "", tuple(SilenceMatcher(*matcher) for matcher in matchers), at + int(start_s * 1000),
        at + int(end_s * 1000), "me", "planned", 0,
    )  # fmt: skip


async def test_silenced_alert_is_not_notified_until_the_silence_ends(stage) -> None:
    s = await stage(RULES)
    silence_id = s.ruler.silences.put(silence(s, ("host", "a|x", True, True), end_s=300))
    await s.ruler.save()
    await s.restart()
    s.engine.answers["down"] = down("a", "b")
    await s.step()
    await s.step(2)
    (body,) = s.receiver.take()
    assert [alert["labels"]["host"] for alert in body["alerts"]] == ["b"]
    await s.step(300)
    (body,) = s.receiver.take()
    assert len(body["alerts"]) == 2
    assert s.ruler.silences.get(silence_id).state(s.clock.ms) == "expired"


async def test_silence_sees_the_labels_that_the_notification_shows(stage) -> None:
    s = await stage(RULES)
    s.ruler.silences.put(silence(s, ("grafana_folder", "AWF", False, True)))
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.step(2)
    assert s.receiver.take() == []


async def test_clock_that_is_set_back_delays_nothing(stage) -> None:
    s = await stage(RULES)
    s.engine.answers["down"] = down("a")
    await s.step()
    await s.step(2)
    s.receiver.take()
    s.engine.answers["down"] = down("a", "b")
    await s.step(-7200)
    assert len(s.receiver.take()) == 1


async def test_expired_silence_ends_at_once_and_unknown_one_is_named(stage) -> None:
    s = await stage(RULES)
    silence_id = s.ruler.silences.put(silence(s, ("host", "a", False, True)))
    assert s.ruler.silences.silenced_by({"host": "a"}) == [silence_id]
    s.ruler.silences.expire(silence_id)
    assert s.ruler.silences.silenced_by({"host": "a"}) == []
    with pytest.raises(NotFound, match="'nope' does not exist"):
        s.ruler.silences.expire("nope")


@pytest.mark.parametrize(
    ("matchers", "end_s", "message"),
    [
        ([], 60, "needs 1 to 32 matchers"),
        ([("host", "a", False, True)], -60, "must end after its start"),
        ([("host", "(", True, True)], 60, "invalid regular expression"),
        ([("host", ".*", True, True)], 60, "must not match the empty string"),
        ([("host", "x" * 2000, False, True)], 60, "over 1024 characters"),
    ],
)
async def test_wrong_silence_is_refused(stage, matchers, end_s, message) -> None:
    s = await stage(RULES)
    with pytest.raises(InvalidInput, match=message):
        s.ruler.silences.put(silence(s, *matchers, end_s=end_s))
    assert s.ruler.silences.all() == []


async def test_webhook_address_must_be_http(stage) -> None:
    s = await stage(RULES)
    config = RulerConfig(s.directory / "rules", s.directory, webhook_url="watcher:8000/hook")
    with pytest.raises(ConfigError, match="is not an http"):
        await Ruler.open(config, engine=s.engine, sink=s.sink, check_expr=str)
