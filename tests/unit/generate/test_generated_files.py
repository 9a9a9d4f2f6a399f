"""Generated text is checked, not trusted."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from awf.core import semconv
from awf.embedded.promql import label_names, metric_names, parse
from awf.generate.output import outdated, render, render_dashboards, render_rules, write
from tests.programs import require_program

REPOSITORY = Path(__file__).parents[3]
VARIABLES = {
    "$workflow": ".+",
    "$agent": ".+",
    "$__rate_interval": "1m",
    "$__range": "30m",
    "$__interval": "15s",
}
KNOWN_LABELS = {label for labels in semconv.METRIC_LABELS.values() for label in labels} | {
    "le",
    "job",
    "instance",
}
HISTOGRAMS = {semconv.STEP_DURATION, semconv.WATCHER_INVESTIGATION_SECONDS}


def _known_metrics() -> set[str]:
    known = set(semconv.METRIC_LABELS)
    for name in HISTOGRAMS:
        known |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
    return known


def _panel_expressions() -> list[tuple[str, str]]:
    found = []
    for name, text in render_dashboards().items():
        for panel in json.loads(text)["panels"]:
            found += [(f"{name}: {panel['title']}", query["expr"]) for query in panel.get("targets", [])]
    return found


def _rule_expressions() -> list[tuple[str, str]]:
    found = []
    for name, text in render_rules().items():
        for group in yaml.safe_load(text)["groups"]:
            found += [(f"{name}: {r.get('alert') or r.get('record')}", r["expr"]) for r in group["rules"]]
    return found


def _substitute(expression: str) -> str:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


EXPRESSIONS = _panel_expressions() + _rule_expressions()


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_expression_parses_and_uses_only_our_names(where: str, expression: str) -> None:
    query = _substitute(expression)
    assert "$" not in query, f"{where} has a variable that this test does not know"
    parse(query)
    assert metric_names(query) <= _known_metrics()
    assert label_names(query) <= KNOWN_LABELS


def test_every_expression_is_there_to_be_checked() -> None:
    assert len(_panel_expressions()) > 25
    assert len(_rule_expressions()) > 10


def test_the_files_in_the_repository_are_up_to_date() -> None:
    assert outdated(REPOSITORY, render()) == []


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


def _panels() -> list[dict[str, Any]]:
    return [panel for text in render_dashboards().values() for panel in json.loads(text)["panels"]]


def test_every_panel_says_what_it_shows_and_what_to_do() -> None:
    silent = [p["title"] for p in _panels() if p["type"] != "row" and len(p.get("description", "")) < 15]
    assert silent == []


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    for text in render_dashboards().values():
        panels = json.loads(text)["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = set()
        for panel in panels:
            g = panel["gridPos"]
            own = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
            assert not own & cells
            cells |= own


def test_dashboards_refresh_no_faster_than_five_seconds() -> None:
    for text in render_dashboards().values():
        assert int(re.fullmatch(r"(\d+)s", json.loads(text)["refresh"])[1]) >= 5  # type: ignore[index]


@pytest.mark.promtool
def test_promtool_accepts_every_rule_file(tmp_path: Path) -> None:
    promtool = require_program("promtool", "prometheus")
    write(tmp_path, render_rules())
    files = [str(path) for path in sorted(tmp_path.rglob("*.yaml"))]
    done = subprocess.run([promtool, "check", "rules", *files], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
