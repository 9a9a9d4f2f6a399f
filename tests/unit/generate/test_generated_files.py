"""Generated text is checked, not trusted. Dashboards have their own checks in tests/stack."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from awf.api.ui.runbooks import runbook_pages, runbooks
from awf.core import semconv
from awf.embedded.promql import label_names, metric_names, parse
from awf.generate import foreign_metrics
from awf.generate.files import with_record
from awf.generate.output import outdated, render, render_rules, rule_groups, write
from awf.wiring.settings_page import settings_page
from tests.programs import require_program

REPOSITORY = Path(__file__).parents[3]
KNOWN_LABELS = {label for labels in semconv.METRIC_LABELS.values() for label in labels} | {
    "le",
    "job",
    "instance",
    semconv.SLO,
    semconv.SUBJECT,
    *(label for labels in foreign_metrics.LABELS.values() for label in labels),
}


def _known_metrics() -> set[str]:
    known = set(semconv.METRIC_LABELS)
    for name in semconv.HISTOGRAM_BUCKETS:
        known |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
    recorded = {rule.record for group in rule_groups().values() for rule in group.recording}
    return known | recorded | set(foreign_metrics.LABELS)


def _rule_expressions() -> list[tuple[str, str]]:
    found = []
    for name, text in render_rules().items():
        for group in yaml.safe_load(text)["groups"]:
            found += [(f"{name}: {r.get('alert') or r.get('record')}", r["expr"]) for r in group["rules"]]
    return found


EXPRESSIONS = _rule_expressions()


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_expression_parses_and_uses_only_our_names(where: str, expression: str) -> None:
    parse(expression)
    assert metric_names(expression) <= _known_metrics(), where
    assert label_names(expression) <= KNOWN_LABELS, where


def test_every_expression_is_there_to_be_checked() -> None:
    assert len(_rule_expressions()) > 10


def test_the_files_in_the_repository_are_up_to_date() -> None:
    files = render() | {"docs/settings.md": settings_page()} | runbook_pages()
    assert outdated(REPOSITORY, with_record(files)) == []


def test_writing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    files = render()
    assert sorted(write(tmp_path, files)) == sorted(files)
    assert write(tmp_path, files) == []


def test_a_changed_file_is_found_out(tmp_path: Path) -> None:
    files = render()
    write(tmp_path, files)
    path = tmp_path / "rules/alerts/agents.yaml"
    path.write_text(path.read_text().replace("0.3", "0.9"))
    assert outdated(tmp_path, files) == ["rules/alerts/agents.yaml"]


def test_every_alert_links_to_a_runbook_that_exists() -> None:
    for text in render_rules("https://awf.example/").values():
        for rule in yaml.safe_load(text)["groups"][0]["rules"]:
            if "alert" in rule:
                link = rule["annotations"]["runbook_url"]
                assert link == f"https://awf.example/ui/runbooks#{runbooks()[rule['alert']].anchor}"


@pytest.mark.promtool
def test_promtool_accepts_every_rule_file(tmp_path: Path) -> None:
    promtool = require_program("promtool", "prometheus")
    write(tmp_path, render_rules())
    files = [str(path) for path in sorted(tmp_path.rglob("*.yaml"))]
    done = subprocess.run([promtool, "check", "rules", *files], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
