"""When the generated alerts fire and when they do not, as Prometheus' own rule tester sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from awf.generate.output import render_rules, write
from tests.programs import require_program

AGENT = 'agent_id="writer"'


def _case(alert: str, at: str, series: dict[str, str], fires: bool, labels: dict[str, str]) -> dict[str, Any]:
    expected = [{"exp_labels": labels}] if fires else []
    return {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"alertname": alert, "eval_time": at, "exp_alerts": expected}],
    }


def _tokens(*values: str) -> dict[str, str]:
    return {f"awf_tokens_total{{{AGENT}}}": " ".join(values)}


def _invocations(completed: str, failed: str) -> dict[str, str]:
    name = f"awf_agent_invocations_total{{{AGENT}"
    return {f'{name},status="completed"}}': completed, f'{name},status="failed"}}': failed}


SURGE = {"severity": "warning", "agent_id": "writer"}
ERRORS = {"severity": "critical", "agent_id": "writer"}
CASES = {
    "a new agent at a steady rate is no surge": _case(
        "AWFTokenSurge", "14m", _tokens("0+1500x400"), False, SURGE
    ),
    "four times the rate of the hour before is one": _case(
        "AWFTokenSurge", "108m", _tokens("0+1500x400", "606000+6000x60"), True, SURGE
    ),
    "half of the calls failing is an alert": _case(
        "AWFAgentErrors", "5m", _invocations("0+1x40", "0+1x40"), True, ERRORS
    ),
    "one failed call of a rarely used agent is none": _case(
        "AWFAgentErrors", "5m", _invocations("0x40", "0x18 1x22"), False, ERRORS
    ),
    "a tenth of the calls failing is none": _case(
        "AWFAgentErrors", "5m", _invocations("0+9x40", "0+1x40"), False, ERRORS
    ),
    "five minutes of silence after events are an alert": _case(
        "AWFTelemetryAbsent", "20m", {"awf_events_total": "0+1x40 _x80"}, True, {"severity": "critical"}
    ),
    "more than twice as many waiting as workers is an alert": _case(
        "AWFWorkersSaturated", "5m", {"awf_executions_pending": "9x40", "awf_workers": "4x40"}, True,
        {"severity": "warning"},
    ),
    "a system that never ran is not silent": _case(
        "AWFTelemetryAbsent", "30m", {"up": "1x200"}, False, {"severity": "critical"}
    ),
}  # fmt: skip


@pytest.mark.promtool
@pytest.mark.parametrize("name", CASES)
def test_alerts_fire_when_they_should(name: str, tmp_path: Path) -> None:
    promtool = require_program("promtool", "prometheus")
    write(tmp_path, render_rules())
    # Annotations are texts for people: without them the expected alerts are their labels alone.
    files = []
    for path in sorted(tmp_path.glob("alerts/*.yaml")):
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule.pop("annotations")
        path.write_text(yaml.safe_dump(rules))
        files.append(str(path))
    case = tmp_path / "case.yaml"
    case.write_text(
        yaml.safe_dump({"rule_files": files, "evaluation_interval": "15s", "tests": [CASES[name]]})
    )
    done = subprocess.run([promtool, "test", "rules", str(case)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
