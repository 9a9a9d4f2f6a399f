"""Alerts under Prometheus' own rule tester."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from awf.generate.output import render_rules, write
from tests.programs import require_program


def case(
    alert: str, at: str, series: Mapping[str, str], fires: bool, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return a case: samples every 15 s, and whether the alert fires, with these labels, `at` a time."""
    expected = [{"exp_labels": dict(labels)}] if fires else []
    return {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"alertname": alert, "eval_time": at, "exp_alerts": expected}],
    }


def check(tested: Mapping[str, Any], folder: Path) -> None:
    """Fail with what promtool says when the generated rules do not behave as a case says."""
    promtool = require_program("promtool", "prometheus")
    write(folder, render_rules())
    # Annotations are texts for people: without them the expected alerts are their labels alone.
    files = []
    for path in sorted(folder.glob("alerts/*.yaml")):
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule.pop("annotations")
        path.write_text(yaml.safe_dump(rules))
        files.append(str(path))
    file = folder / "case.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": files, "evaluation_interval": "15s", "tests": [dict(tested)]})
    )
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
