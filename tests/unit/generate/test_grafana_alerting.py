"""Grafana's alert rules: the same alerts as Prometheus', in the shape that Grafana's provisioning reads.

The shapes are those of grafana/grafana, `pkg/services/provisioning/alerting/*_types.go`; no Grafana runs here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from awf.core.names import UID_LENGTH, rule_uid
from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER
from awf.embedded.ruler.grafana_terms import GROUP_BY, RECEIVER
from awf.embedded.ruler.rules import load_rules
from awf.errors import ConfigError
from awf.generate.grafana_alerting import escaped, grafana_template, render_alerts
from awf.generate.output import (
    GRAFANA_ALERTS,
    PUBLIC_URL,
    render,
    render_dashboards,
    render_rules,
    rule_groups,
    write,
)
from awf.generate.panel_links import Panels
from awf.generate.spec import AlertRule, PanelLink, RuleGroup

REPOSITORY = Path(__file__).parents[3]
FOLDER = (REPOSITORY / GRAFANA_ALERTS).parent
BOARDS = render_dashboards()
PANELS = Panels.of(BOARDS)
DOCUMENT = yaml.safe_load(render()[GRAFANA_ALERTS])
GROUPS: list[dict[str, Any]] = DOCUMENT["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
# What Prometheus calls a duration; Grafana parses these fields with the same function.
DURATION = re.compile(r"(\d+(d|h|m|s))+|0s")
RULE_KEYS = {
    "uid", "title", "condition", "data", "dashboardUid", "panelId", "noDataState", "execErrState", "for",
    "keepFiringFor", "missing_series_evals_to_resolve", "annotations", "labels", "isPaused",
    "notification_settings",
}  # fmt: skip
WEBHOOK_KEYS = {
    "url", "httpMethod", "maxAlerts", "authorization_scheme", "authorization_credentials", "username", "password",
    "headers", "title", "message", "payload", "tlsConfig", "hmacConfig", "http_config",
}  # fmt: skip
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["title"])


def _prometheus() -> dict[str, dict[str, Any]]:
    found = {}
    for path, text in render_rules().items():
        if path.startswith("alerts/"):
            for group in yaml.safe_load(text)["groups"]:
                found |= {rule["alert"]: rule | {"group": group["name"]} for rule in group["rules"]}
    return found


PROMETHEUS = _prometheus()


def test_both_have_the_same_alerts_each_once() -> None:
    titles = [rule["title"] for rule in RULES]
    assert sorted(titles) == sorted(PROMETHEUS)
    assert len({rule["uid"] for rule in RULES}) == len(RULES)


@each_rule
def test_a_rule_is_the_prometheus_rule_of_its_name(rule: dict[str, Any]) -> None:
    same = PROMETHEUS[rule["title"]]
    query, has_value, is_true = rule["data"]
    assert query["model"]["expr"] == same["expr"]
    assert rule["for"] == same["for"]
    assert {name: text.replace("$$", "$") for name, text in rule["labels"].items()} == same["labels"]
    texts = {name: text for name, text in same["annotations"].items() if not name.startswith("__")}
    assert rule["annotations"].keys() == texts.keys()
    assert "$" not in texts["runbook_url"], "not every Grafana puts its environment into annotations"
    for name, text in texts.items():
        spoken = re.sub(r'index \$labels "(\w+)"', r"$labels.\1", rule["annotations"][name])
        assert spoken.replace("$values.A.Value", "$value") == text
    assert (query["refId"], has_value["refId"], is_true["refId"], rule["condition"]) == ("A", "B", "C", "C")


@each_rule
def test_a_rule_has_the_shape_that_grafana_reads(rule: dict[str, Any]) -> None:
    assert set(rule) <= RULE_KEYS
    assert re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{UID_LENGTH}}}", rule["uid"])
    assert DURATION.fullmatch(rule["for"])
    assert rule["isPaused"] is False
    for node in rule["data"]:
        assert set(node) == {"refId", "relativeTimeRange", "datasourceUid", "model"}
        assert set(node["relativeTimeRange"]) == {"from", "to"}
        assert node["model"]["refId"] == node["refId"]
        assert node["model"]["datasource"]["uid"] == node["datasourceUid"]
        assert (node["datasourceUid"] == "__expr__") == (node["model"]["datasource"]["type"] == "__expr__")
    query, has_value, is_true = rule["data"]
    assert (query["datasourceUid"], query["model"]["instant"], query["model"]["range"]) == (
        "mimir",
        True,
        False,
    )
    assert query["relativeTimeRange"]["from"] > 0
    assert (has_value["model"]["type"], is_true["model"]["type"]) == ("math", "threshold")
    assert is_true["model"]["expression"] == has_value["refId"]
    assert is_true["model"]["conditions"] == [{"evaluator": {"type": "gt", "params": [0]}}]


@each_rule
def test_any_value_of_a_filtered_vector_is_an_alert_and_none_is_none(rule: dict[str, Any]) -> None:
    assert rule["data"][1]["model"]["expression"] == "is_number($A) || is_nan($A) || is_inf($A)"
    assert rule["noDataState"] == "OK"
    assert rule["missing_series_evals_to_resolve"] == 1


def test_one_alert_alone_fires_when_the_store_does_not_answer() -> None:
    states = {rule["title"]: rule["execErrState"] for rule in RULES}
    assert [name for name, state in states.items() if state == "Alerting"] == ["AWFTelemetryAbsent"]
    assert set(states.values()) == {"Alerting", "KeepLast"}
    (rule,) = [rule for rule in RULES if rule["execErrState"] == "Alerting"]
    assert not re.search(r"\{\{", "".join(rule["annotations"].values())), (
        "there is no value and no label then"
    )


def test_groups_are_evaluated_at_multiples_of_ten_seconds_in_one_folder() -> None:
    for group in GROUPS:
        assert int(group["interval"].removesuffix("s")) % 10 == 0
        assert (group["folder"], group["orgId"]) == (GROUPS[0]["folder"], 1)
    intervals = {group["name"]: group["interval"] for group in GROUPS}
    assert (intervals["agents"], intervals["pipeline"], intervals["slo_burn"]) == ("10s", "20s", "60s")


@each_rule
def test_a_rule_links_to_a_panel_that_exists_or_to_none(rule: dict[str, Any]) -> None:
    assert ("dashboardUid" in rule) == ("panelId" in rule)
    if "panelId" in rule:
        panels = json.loads(BOARDS[f"{rule['dashboardUid']}.json"])["panels"]
        assert [
            panel["type"] for panel in panels if panel["id"] == rule["panelId"] and panel["type"] != "row"
        ]
        embedded = PROMETHEUS[rule["title"]]["annotations"]
        assert (embedded["__dashboardUid__"], embedded["__panelId__"]) == (
            rule["dashboardUid"],
            str(rule["panelId"]),
        )


def test_the_embedded_ruler_knows_the_rules_by_the_same_uids(tmp_path: Path) -> None:
    write(tmp_path, render_rules())
    groups = load_rules(tmp_path, default_interval_ms=1000, check_expr=lambda _: None)
    assert {rule.uid for group in groups for rule in group.rules if hasattr(rule, "uid")} == {
        rule["uid"] for rule in RULES
    }


@pytest.mark.parametrize(
    ("prometheus", "grafana"),
    [
        ("plain", "plain"),
        ("{{ $value }}", "{{ $values.A.Value }}"),
        ("{{$value|humanize}} of", "{{ $values.A.Value|humanize }} of"),
        ("{{ $value | humanizePercentage }}", "{{ $values.A.Value | humanizePercentage }}"),
        ("agent {{ $labels.agent_id }}!", 'agent {{ index $labels "agent_id" }}!'),
        ('{{ printf "%.1f" $value }}', '{{ printf "%.1f" $values.A.Value }}'),
        ("costs $5", "costs $5"),
    ],
)
def test_templates_are_put_into_grafanas_words(prometheus: str, grafana: str) -> None:
    assert grafana_template(prometheus) == grafana


@pytest.mark.parametrize("text", ["${HOME}", "a $$ b", "{{ $labels.x }} ${X}"])
def test_a_text_that_grafana_would_fill_from_its_environment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the text"):
        grafana_template(text)


def test_a_dollar_in_a_label_stays_one() -> None:
    # Grafana expands $NAME in labels, and takes $$ for one dollar.
    assert escaped("{{ $labels.x }}") == "{{ $$labels.x }}"


def _alert(**fields: Any) -> RuleGroup:
    rule = AlertRule("AWFX", "up == 0", "0s", "info", "Something is wrong", "It is.", **fields)
    return RuleGroup("x", "15s", alerts=(rule,))


def test_an_alert_that_is_gone_is_deleted_in_grafana_too() -> None:
    text = render_alerts([_alert()], PANELS, PUBLIC_URL, known=["AWFX", "AWFErrorBudgetBurnsFast"])
    assert yaml.safe_load(text)["deleteRules"] == [{"orgId": 1, "uid": "awf_error_budget_burns_fast"}]
    assert "deleteRules" not in DOCUMENT


def test_a_renamed_panel_breaks_generation_and_says_which_there_are() -> None:
    with pytest.raises(
        ConfigError, match="AWFX: dashboard awf-overview has no panel 'Succes rate'"
    ) as caught:
        render_alerts([_alert(shown_by=PanelLink("awf-overview", "Succes rate"))], PANELS, PUBLIC_URL)
    assert "Success rate" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        render_alerts([_alert(shown_by=PanelLink("awf-nowhere", "x"))], PANELS, PUBLIC_URL)
    assert "no dashboard" in caught.value.hint


# -- what stands beside the rules, as it is


def _beside(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / name).read_text()))


def test_grafana_reads_every_file_of_the_folder_and_each_has_a_version() -> None:
    # Grafana does not start when a file there ends in anything else.
    assert {path.suffix for path in FOLDER.iterdir()} == {".yaml"}
    for path in FOLDER.iterdir():
        assert yaml.safe_load(path.read_text())["apiVersion"] == 1


def test_the_contact_point_is_the_watcher_signed_as_it_is_verified() -> None:
    (point,) = _beside("contact-points.yaml")["contactPoints"]
    (receiver,) = point["receivers"]
    assert (point["name"], receiver["uid"], receiver["type"]) == (RECEIVER, RECEIVER, "webhook")
    settings = receiver["settings"]
    assert set(settings) <= WEBHOOK_KEYS
    assert settings["url"].endswith("/webhooks/grafana-alerts")
    assert settings["hmacConfig"]["header"] == SIGNATURE_HEADER
    assert settings["hmacConfig"]["timestampHeader"] == TIMESTAMP_HEADER
    assert re.fullmatch(r"\$__file\{/run/secrets/[a-z/-]+\}", settings["hmacConfig"]["secret"])
    assert receiver["disableResolveMessage"] is False  # the watcher has to hear of the end


def test_the_policy_sends_all_to_the_watcher_soon_and_again() -> None:
    (policy,) = _beside("policies.yaml")["policies"]
    assert policy["receiver"] == RECEIVER
    assert GROUP_BY in policy["group_by"]
    times = (policy["group_wait"], policy["group_interval"], policy["repeat_interval"])
    assert times == ("10s", "1m", "4h")


def test_mute_timings_are_intervals_of_the_week_that_nobody_uses_unasked() -> None:
    days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    for timing in _beside("mute-timings.yaml")["muteTimes"]:
        for interval in timing["time_intervals"]:
            assert set(interval) <= {"times", "weekdays", "days_of_month", "months", "years", "location"}
            assert all(day in days for span in interval["weekdays"] for day in span.split(":"))
            for times in interval.get("times", ()):
                assert re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", times["start_time"])
                assert re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", times["end_time"])
        policy = _beside("policies.yaml")["policies"][0]
        assert timing["name"] not in json.dumps(policy)


def test_a_uid_is_a_name_in_snake_case_and_never_longer_than_grafana_allows() -> None:
    assert rule_uid("AWFErrorBudgetBurnsVeryFast") == "awf_error_budget_burns_very_fast"
    assert all(len(rule.alert) <= 190 for group in rule_groups().values() for rule in group.alerts)
    names = [rule.alert for group in rule_groups().values() for rule in group.alerts]
    assert len({rule_uid(name) for name in names}) == len(names)
