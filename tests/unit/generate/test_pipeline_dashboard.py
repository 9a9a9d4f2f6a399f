"""A quiet pipeline shows zeros; one that says nothing shows no data rather than zeros."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from awf.generate.output import render_dashboards
from tests.programs import require_program

REPORTING = {"series": 'awf_export_spool_limit_bytes{job="triage",instance="a"}', "values": "100x40"}
LOST = {
    "series": 'awf_events_dropped_total{job="triage",instance="a",reason="expired"}',
    "values": "_x24 3x16",
}


def _panels() -> dict[str, str]:
    board = json.loads(render_dashboards()["awf-pipeline.json"])
    found = {}
    for panel in board["panels"]:
        for query in panel.get("targets", []):
            expression = query["expr"].replace("$__rate_interval", "1m")
            found[panel["title"]] = expression.replace("$job", ".*").replace("$instance", ".*")
    return found


PANELS = _panels()
COUNTS = {
    "Acknowledged": "{}",
    "Lost in 1 h": "{}",
    "Retries by reason": '{reason="none"}',
    "Given up by reason": '{reason="none"}',
    "Lost on the way by reason": '{reason="none"}',
    "Set aside": '{reason="none"}',
    "Dropped for other subscribers by reason": '{reason="none"}',
    "Redactions by kind": '{kind="none"}',
    "Truncations by kind": '{kind="none"}',
    "Series overflows by metric": '{metric="none"}',
}


def _check(series: list[dict[str, str]], expected: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    promtool = require_program("promtool", "prometheus")
    queries = [
        {"expr": PANELS[title], "eval_time": "10m", "exp_samples": samples}
        for title, samples in expected.items()
    ]
    file = folder / "case.yaml"
    case = {"interval": "15s", "input_series": series, "promql_expr_test": queries}
    file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [case]}))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
def test_counters_that_never_counted_are_shown_as_zero(tmp_path: Path) -> None:
    _check([REPORTING], {title: [{"labels": name, "value": 0}] for title, name in COUNTS.items()}, tmp_path)


@pytest.mark.promtool
def test_nothing_is_shown_as_zero_where_nothing_reports(tmp_path: Path) -> None:
    _check([{"series": "up", "values": "1x40"}], {title: [] for title in PANELS}, tmp_path)


@pytest.mark.promtool
def test_the_first_loss_ever_is_shown_whole_and_alone(tmp_path: Path) -> None:
    expected = {
        "Lost in 1 h": [{"labels": "{}", "value": 3}],
        "Lost on the way by reason": [{"labels": '{reason="expired"}', "value": 3}],
        "Set aside": [{"labels": '{reason="none"}', "value": 0}],
        "Dropped for other subscribers by reason": [{"labels": '{reason="none"}', "value": 0}],
    }
    _check([REPORTING, LOST], expected, tmp_path)
