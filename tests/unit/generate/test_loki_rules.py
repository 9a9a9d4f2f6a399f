"""The LogQL rules: of our own names, understood by our own parser, and no alert among them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from awf.core import semconv
from awf.embedded.logql import parser
from awf.generate.loki_rules import PATH, render_loki_rules
from awf.orchestration import EventType

(GROUP,) = yaml.safe_load(render_loki_rules()[PATH])["groups"]


@pytest.mark.parametrize("rule", GROUP["rules"], ids=lambda rule: rule["record"])
def test_a_rule_is_a_series_over_time_of_known_labels_and_events(rule: dict[str, Any]) -> None:
    parser.parse(rule["expr"])
    labels = re.search(r"by \((.*?)\)", rule["expr"])
    assert labels is not None
    known = {semconv.SERVICE_NAME, semconv.LEVEL, semconv.PROVIDER, semconv.ERROR_TYPE} | {
        label for names in semconv.METRIC_LABELS.values() for label in names
    }
    assert set(labels[1].split(", ")) <= known
    assert re.fullmatch(r"[a-z]+:awf_[a-z_]+:rate5m", rule["record"])
    for event in re.findall(r'event_type="(.*?)"', rule["expr"]):
        assert EventType(event)


def test_logs_record_series_and_raise_no_alert() -> None:
    assert all(set(rule) == {"record", "expr"} for rule in GROUP["rules"])
