"""Generated text is checked, not trusted."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from awf.api.ui.runbooks import runbooks, runbooks_page
from awf.core import semconv
from awf.embedded.promql import label_names, metric_names, parse
from awf.generate.output import outdated, render, render_dashboards, render_rules, write
from tests.programs import require_program

REPOSITORY = Path(__file__).parents[3]
VARIABLES = {
    "$workflow": ".+",
    "$agent": ".+",
    "$job": ".*",
    "$instance": ".*",
    "$__rate_interval": "1m",
    "$__range": "30m",
    "$__interval": "15s",
}
KNOWN_LABELS = {label for labels in semconv.METRIC_LABELS.values() for label in labels} | {
    "le",
    "job",
    "instance",
}
HISTOGRAMS = {semconv.STEP_DURATION, semconv.EXPORT_DURATION, semconv.WATCHER_INVESTIGATION_MS}


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


def _panels_of(kind: str) -> list[dict[str, Any]]:
    found = [panel for panel in _panels() if panel["type"] == kind]
    assert found, f"no panel of type {kind}"
    return found


def test_no_panel_is_of_a_form_that_grafana_would_migrate() -> None:
    for panel in _panels():
        if panel["type"] == "row":
            continue
        assert panel["pluginVersion"]
        assert not {"fieldOptions", "styles", "columns"} & {*panel, *panel["options"]}
        assert isinstance(panel["fieldConfig"]["overrides"], list)
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None
        if "displayMode" in panel["options"].get("legend", {}):
            assert panel["options"]["legend"]["showLegend"] is True
    for kind in ("stat", "bargauge", "piechart"):
        for panel in _panels_of(kind):
            assert panel["options"]["reduceOptions"] == {
                "calcs": ["lastNotNull"],
                "fields": "",
                "values": False,
            }


def test_the_table_shows_named_columns_in_order_and_no_time() -> None:
    (panel,) = _panels_of("table")
    organize = next(each for each in panel["transformations"] if each["id"] == "organize")["options"]
    shown = sorted(organize["indexByName"], key=organize["indexByName"].get)
    headings = [organize["renameByName"][name] for name in shown]
    assert headings[:3] == ["Agent", "Invocations/min", "Failed"]
    assert shown[1:] == [f"Value #{query['refId']}" for query in panel["targets"]]
    assert organize["excludeByName"] == {"Time": True} | {
        f"Time {number}": True for number in range(1, len(panel["targets"]) + 1)
    }
    assert {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]} <= set(headings)
    assert panel["options"]["sortBy"] == [{"desc": True, "displayName": "Failed"}]


def test_a_heatmap_reads_buckets_and_hides_empty_ones() -> None:
    (panel,) = _panels_of("heatmap")
    assert panel["options"]["calculate"] is False
    assert panel["options"]["filterValues"]["le"] > 0
    assert panel["options"]["yAxis"]["unit"] == "ms"
    assert [query["format"] for query in panel["targets"]] == ["heatmap"]


def test_only_histograms_ask_for_exemplars() -> None:
    for panel in _panels():
        for query in panel.get("targets", []):
            assert query["exemplar"] == ("_bucket" in query["expr"] and panel["type"] != "table")
            assert query["range"] != query["instant"]


def test_dashboards_work_with_a_datasource_of_any_uid() -> None:
    for text in render_dashboards().values():
        board = json.loads(text)
        assert board["templating"]["list"][0]["type"] == "datasource"
        uids = {panel["datasource"]["uid"] for panel in board["panels"] if panel["type"] != "row"}
        assert uids == {"${datasource}"}
        assert any(each.get("builtIn") == 1 for each in board["annotations"]["list"])


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


def test_every_alert_links_to_a_runbook_that_exists() -> None:
    for text in render_rules("https://awf.example/").values():
        for rule in yaml.safe_load(text)["groups"][0]["rules"]:
            if "alert" in rule:
                link = rule["annotations"]["runbook_url"]
                assert link == f"https://awf.example/ui/runbooks#{runbooks()[rule['alert']].anchor}"


def test_the_runbooks_in_the_docs_are_those_of_the_page() -> None:
    assert (REPOSITORY / "docs/runbooks.md").read_text() == runbooks_page()


def test_a_panels_links_lead_to_a_dashboard_of_ours() -> None:
    known = {name.removesuffix(".json") for name in render_dashboards()}
    links = [link["url"] for panel in _panels() for link in panel.get("links", [])]
    assert links
    assert {re.match(r"/d/([a-z-]+)\?", url)[1] for url in links} <= known  # type: ignore[index]


@pytest.mark.promtool
def test_promtool_accepts_every_rule_file(tmp_path: Path) -> None:
    promtool = require_program("promtool", "prometheus")
    write(tmp_path, render_rules())
    files = [str(path) for path in sorted(tmp_path.rglob("*.yaml"))]
    done = subprocess.run([promtool, "check", "rules", *files], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
