"""The evaluation in its short form: the real product is scored, and a wrong playbook scores worse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Of seed 2 these are rate_limit at anthropic and false_alarm about fact-checker, without noise.
GOOD = ("--seed", "2", "--scenarios", "2", "--kinds", "rate_limit,false_alarm")
WRONG = ("--seed", "2", "--scenarios", "1", "--kinds", "rate_limit,false_alarm")
PLAYBOOK = """\
plays:
  - name: written by somebody who knows neither the demo nor its faults
    actions: [scale_workers]
"""
POLICY = """\
rules:
  - name: and who asks nobody
    decision: allow
"""


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("AWF_", "OTEL_"))}
    command = [sys.executable, "-m", "awf", "eval", "--short", "--json", "--keep", str(folder), *arguments]
    return subprocess.Popen(
        command, env=environ | {"AWF_SETTLE_S": "4"} | settings, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eval")


@pytest.fixture(scope="module")
def reports(folder: Path) -> dict[str, dict[str, Any]]:
    """What `awf eval` says with the built-in playbook and with a wrong one, both at once."""
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    (folder / "policy.yaml").write_text(POLICY)
    wrong = {
        "AWF_PLAYBOOK_FILE": str(folder / "playbook.yaml"),
        "AWF_POLICY_FILE": str(folder / "policy.yaml"),
    }
    running = {
        "right": start(folder / "right", *GOOD),
        "wrong": start(folder / "wrong", *WRONG, **wrong),
    }
    try:
        return {name: json.loads(process.communicate(timeout=280)[0]) for name, process in running.items()}
    finally:
        for process in running.values():
            process.terminate()
            process.wait()


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["kind"]: row for row in report["scenarios"]}


def test_the_cause_is_found_and_mended_and_users_say_so_too(reports: dict[str, dict[str, Any]]) -> None:
    row = rows(reports["right"])["rate_limit"]
    assert row["problem"] == ""
    assert (row["cause_rank"], row["target_rank"]) == (1, 1), row
    assert row["is_autonomous"], row
    assert row["is_recovered"], row
    assert row["is_verified"], row
    assert not row["wrong"], row


def test_a_false_alarm_is_left_alone(reports: dict[str, dict[str, Any]]) -> None:
    row = rows(reports["right"])["false_alarm"]
    assert row["is_right"], row
    assert not row["wrong"], row


def test_with_a_wrong_playbook_the_score_falls(reports: dict[str, dict[str, Any]]) -> None:
    row = rows(reports["wrong"])["rate_limit"]
    assert (row["cause_rank"], row["target_rank"]) == (1, 1), row  # the playbook does not find causes
    assert row["wrong"] == ["scale_workers"], row
    assert not row["is_right"], row
    assert not row["is_recovered"], row
    assert not reports["wrong"]["is_met"]
    figures = {figure["name"]: figure for figure in reports["wrong"]["figures"]}
    assert figures["autonomous and correct"]["value"] == 0
    assert not figures["wrong actions"]["is_met"]


def test_what_has_run_is_not_run_again(reports: dict[str, dict[str, Any]], folder: Path) -> None:
    """And it says the same, with the exit code of a missed target."""
    again = start(folder / "wrong", *WRONG)
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 1
    assert json.loads(output) == reports["wrong"]
