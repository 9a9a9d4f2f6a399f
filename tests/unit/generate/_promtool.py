"""The generated rules under Prometheus' own rule tester: all cases of a file in one run of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from awf.generate.output import render_rules, rule_groups, write
from awf.generate.slo import Slo
from tests.programs import require_program

Case = dict[str, Any]


def case(
    alert: str, at: str, series: Mapping[str, str], fires: bool, labels: Mapping[str, str], every: str = "15s"
) -> Case:
    """Return a case: samples `every` 15 s, and whether the alert fires, with these labels, `at` a time."""
    expected = [{"exp_labels": dict(labels)}] if fires else []
    checks = [{"alertname": alert, "eval_time": at, "exp_alerts": expected}]
    return {"interval": every, "input_series": inputs(series), "alert_rule_test": checks}


def values(
    series: Mapping[str, str], *expected: tuple[str, str, Mapping[str, float]], every: str = "15s"
) -> Case:
    """Return a case about recorded series: `expected` are (query, time, labels as text -> value, none for nothing)."""
    checks = [
        {"expr": expr, "eval_time": at, "exp_samples": [{"labels": k, "value": v} for k, v in found.items()]}
        for expr, at, found in expected
    ]
    return {"interval": every, "input_series": inputs(series), "promql_expr_test": checks}


def inputs(series: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": texts} for name, texts in series.items()]


def check(
    cases: Mapping[str, Case],
    folder: Path,
    *,
    only: Sequence[str] = ("",),
    step: str = "15s",
    slos: Sequence[Slo] | None = None,
) -> None:
    """Fail with what promtool says when the generated rules do not behave as the cases say.

    `only` are beginnings of rule groups' names, the others are left out; `step` is how often rules are evaluated.
    """
    promtool = require_program("promtool", "prometheus")
    write(folder, render_rules(slos=slos))
    files = [str(path) for path in _rule_files(folder, only)]
    tests = [{"name": name, **each} for name, each in cases.items()]
    file = folder / "cases.yaml"
    # What alerts ask for is recorded first: with long steps the sample before would be too old.
    stems = {Path(path).stem for path in files}
    groups = [group for group in rule_groups(slos).values() if group.name in stems]
    order = [group.name for group in sorted(groups, key=lambda group: group.folder, reverse=True)]
    tested = {"rule_files": files, "evaluation_interval": step, "group_eval_order": order, "tests": tests}
    file.write_text(yaml.safe_dump(tested))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def _rule_files(folder: Path, only: Sequence[str]) -> Iterable[Path]:
    """Annotations are texts for people: without them the expected alerts are their labels alone."""
    for path in sorted(folder.glob("*/*.yaml")):
        if not path.stem.startswith(tuple(only)):
            continue
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule.pop("annotations", None)
        path.write_text(yaml.safe_dump(rules))
        yield path
