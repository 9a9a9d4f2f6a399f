"""Rule files: what is read, and how each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.embedded.ruler.rules import AlertRule, RecordingRule, load_rules
from awf.errors import ConfigError, QueryError

GOOD = """
groups:
  - name: agents
    interval: 15s
    rules:
      - record: agent:errors:rate5m
        expr: sum by (agent_id) (rate(awf_agent_invocations_total{status="failed"}[5m]))
        labels: {source: ruler}
      - alert: AwfAgentErrors
        expr: agent:errors:rate5m > 0.1
        for: 1m
        keep_firing_for: 30s
        labels: {severity: critical, team: "team-{{ $labels.agent_id }}"}
        annotations:
          summary: "{{ $labels.agent_id }} fails at {{ $value | humanizePercentage }}"
  - name: others
    rules:
      - alert: AwfAgentErrors
        expr: vector(1)
        labels: {severity: warning}
"""


def check(expr: str) -> None:
    if "bad" in expr:
        raise QueryError("1:1: parse error: unexpected identifier")


def load(tmp_path: Path, text: str, folder: str = "alerts"):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "file.yaml").write_text(text)
    return load_rules(tmp_path, default_interval_ms=5000, check_expr=check)


def test_groups_rules_and_defaults_are_read(tmp_path: Path) -> None:
    first, second = load(tmp_path, GOOD)
    assert (first.name, first.file, first.interval_ms) == ("agents", "alerts/file.yaml", 15_000)
    assert second.interval_ms == 5000
    record, alert = first.rules
    assert isinstance(record, RecordingRule)
    assert (record.name, record.labels) == ("agent:errors:rate5m", {"source": "ruler"})
    assert isinstance(alert, AlertRule)
    assert (alert.for_ms, alert.keep_firing_for_ms) == (60_000, 30_000)
    assert alert.annotations["summary"].render({"agent_id": "writer"}, 0.5) == "writer fails at 50%"


def test_recording_groups_come_before_alerts(tmp_path: Path) -> None:
    load(tmp_path, "groups: [{name: a, rules: []}]", "alerts")
    groups = load(tmp_path, "groups: [{name: r, rules: []}]", "recording")
    assert [group.name for group in groups] == ["r", "a"]


def test_empty_file_has_no_groups(tmp_path: Path) -> None:
    assert load(tmp_path, "") == ()


def test_levels_of_one_alert_get_distinct_stable_uids(tmp_path: Path) -> None:
    def uids() -> list[str]:
        return [r.uid for g in load(tmp_path, GOOD) for r in g.rules if isinstance(r, AlertRule)]

    first, second = uids()
    assert first != second
    assert first.startswith("awf_agent_errors_")
    assert uids() == [first, second]


def test_unique_alert_name_is_the_uid(tmp_path: Path) -> None:
    (group,) = load(tmp_path, "groups: [{name: g, rules: [{alert: 'AWF error budget: fast', expr: up}]}]")
    assert group.rules[0].uid == "awf_error_budget_fast"


RULE = "groups: [{name: g, rules: [{%s}]}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("groups: [", "file.yaml cannot be read"),
        ("- 1", "file.yaml: Input should be"),
        ("groups: 1", "field 'groups'"),
        ("groups: [{rules: []}]", "group 'number 1', field 'name': Field required"),
        ("groups: [{name: g, rules: [], limit: 3}]", "group 'g', field 'limit': Extra inputs"),
        (
            "groups: [{name: g, interval: soon, rules: []}]",
            "group 'g', field 'interval': 'soon' is not a dur",
        ),
        ("groups: [{name: g, rules: []}, {name: g, rules: []}]", "group name 'g' is used twice"),
        (RULE % "alert: A", "group 'g', rule 'A', field 'expr': Field required"),
        (RULE % "alert: A, expr: up, for: 5", "rule 'A', field 'for': 5 is not a duration"),
        (RULE % "alert: A, expr: up, for: true", "rule 'A', field 'for': True is not a duration"),
        (RULE % "alert: A, expr: up, fro: 5m", "rule 'A', field 'fro'"),
        (RULE % "alert: A, expr: up, labels: {severity: 1}", "rule 'A', field 'labels.severity'"),
        (RULE % "alert: A, expr: up, labels: {a-b: x}", "field 'labels': 'a-b' is not a label name"),
        (RULE % "record: a b, expr: up", "field 'record': 'a b' is not a metric name"),
        (RULE % "expr: up", "group 'g', rule 1: exactly one of"),
        (RULE % "alert: A, record: b, expr: up", "exactly one of"),
        (RULE % "record: b, expr: up, for: 1m", "the field 'for' belongs to alerts"),
        (RULE % "alert: A, expr: bad", r"group 'g', rule 1 \(A\), field 'expr': 1:1: parse error"),
        (
            RULE % "alert: A, expr: up, annotations: {x: '{{ query \"up\" }}'}",
            r"field 'annotations', 'x': the template {{ query",
        ),
        ("groups: [{name: g, rules: [{alert: A, expr: up}, {alert: A, expr: down}]}]", "same labels"),
    ],
)
def test_mistake_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


def test_missing_directory_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_rules(tmp_path / "none", default_interval_ms=5000, check_expr=check)
