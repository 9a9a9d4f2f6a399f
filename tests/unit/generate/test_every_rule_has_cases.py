"""A rule that nobody has seen working is a text: each recorded series and each alert has cases, whoever adds it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from awf.core import semconv as sc
from awf.generate.output import rule_groups
from awf.generate.slo import load_slos
from tests.unit.generate import (
    test_alert_behaviour,
    test_pipeline_alerts,
    test_recording_rules,
    test_slo_behaviour,
)
from tests.unit.generate._promtool import Case

CASES: list[Case] = [
    case
    for table in (
        test_alert_behaviour.CASES,
        test_alert_behaviour.WEEKS,
        test_pipeline_alerts.CASES,
        test_recording_rules.CASES,
        test_slo_behaviour.MINUTES,
        test_slo_behaviour.DAYS,
    )
    for case in table.values()
]


def _alerts(*, firing: bool) -> set[str]:
    checks = [check for case in CASES for check in case.get("alert_rule_test", ())]
    return {check["alertname"] for check in checks if bool(check["exp_alerts"]) is firing}


def _seen() -> Iterator[str]:
    for case in CASES:
        for check in case.get("promql_expr_test", ()):
            if check["exp_samples"]:
                yield check["expr"]


def test_every_alert_is_seen_firing_and_not_firing() -> None:
    alerts = {rule.alert for group in rule_groups().values() for rule in group.alerts}
    assert _alerts(firing=True) == alerts
    assert _alerts(firing=False) == alerts


def test_every_recorded_series_is_seen_with_a_value() -> None:
    names = set(re.findall(r"[a-z]+:[a-z0-9_:]+[a-z0-9]", " ".join(_seen())))
    recorded = {rule.record for group in rule_groups().values() for rule in group.recording}
    assert recorded - names == set()


def test_every_objective_is_seen_counting() -> None:
    for slo in load_slos():
        for name in (sc.SLO_OBJECTIVE, sc.SLO_TOTAL, sc.SLO_BAD):
            assert any(f'{name}{{{sc.SLO}="{slo.name}"}}' in query for query in _seen()), (slo.name, name)


def test_what_a_firing_alert_says_names_only_labels_that_it_has() -> None:
    rules = {rule.alert: rule for group in rule_groups().values() for rule in group.alerts}
    for case in CASES:
        for check in case.get("alert_rule_test", ()):
            for alert in check["exp_alerts"]:
                rule = rules[check["alertname"]]
                used = set(re.findall(r"\$labels\.(\w+)", rule.summary + rule.description))
                assert used <= set(alert["exp_labels"]), rule.alert
