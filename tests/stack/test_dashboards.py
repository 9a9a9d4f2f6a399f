"""Every generated dashboard, checked without a Grafana: none can be run here."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from awf.core import semconv as sc
from awf.embedded import promql, traceql
from awf.embedded.logql import parser as logql
from awf.generate import foreign_metrics
from awf.generate.output import rule_groups
from awf.generate.thresholds import BURNS
from tests.programs import require_program
from tests.stack.generated_boards import (
    BUILT_IN,
    DATASOURCES,
    Query,
    boards,
    links_of,
    named,
    panels,
    queries,
    substituted,
)

UIDS = {"awf-overview", "awf-agent-fleet", "awf-watcher", "awf-pipeline", "awf-slo"}
# The names that Grafana gives the units used here (packages/grafana-data, valueFormats/categories.ts).
UNITS = {"short", "percentunit", "ms", "s", "ops", "eps", "cps", "reqps", "bytes", "currencyUSD"}
# What shows words, lines, spans or a graph has no unit; a table's columns have one each.
WITHOUT_UNIT = {"logs", "nodeGraph", "state-timeline", "table", "heatmap"}
ALERTS = {rule.alert: rule for group in rule_groups().values() for rule in group.alerts}
PROMQL, LOGQL, TRACEQL = queries("prometheus"), queries("loki"), queries("tempo")


def ids(found: list[Query]) -> list[str]:
    return [query.where for query in found]


def test_the_dashboards_are_those_that_rules_and_pages_link_to() -> None:
    assert set(boards()) == UIDS
    assert {uid: board["uid"] for uid, board in boards().items()} == {uid: uid for uid in UIDS}


def test_every_panel_and_query_names_a_datasource_that_its_dashboard_can_choose() -> None:
    for uid, panel in panels():
        choices = {
            f"${{{v['name']}}}": v["query"]
            for v in boards()[uid]["templating"]["list"]
            if v["type"] == "datasource"
        }
        assert choices == DATASOURCES
        for where in (panel, *panel["targets"]):
            assert where["datasource"]["type"] == choices[where["datasource"]["uid"]], panel["title"]
        assert panel["targets"], panel["title"]


def test_every_variable_that_is_used_is_defined() -> None:
    for uid, board in boards().items():
        own = {each["name"] for each in board["templating"]["list"]}
        assert named(board) <= own | BUILT_IN, uid


def test_every_variable_that_can_be_chosen_changes_something() -> None:
    for uid, board in boards().items():
        chosen = {each["name"] for each in board["templating"]["list"] if each["type"] == "query"}
        used = named([panel.get("targets", []) for panel in board["panels"]])
        assert chosen <= used, uid


def test_a_variable_starts_at_all_and_takes_several_values() -> None:
    for board in boards().values():
        for each in board["templating"]["list"]:
            if each["type"] == "query":
                assert (each["multi"], each["includeAll"], each["current"]["value"]) == (
                    True,
                    True,
                    ["$__all"],
                )
                assert each["allValue"] in {".+", ".*"}


def test_ids_are_unique_and_queries_of_a_panel_have_letters_of_their_own() -> None:
    for uid, board in boards().items():
        found = [panel["id"] for panel in board["panels"]]
        assert len(set(found)) == len(found), uid
    for _, panel in panels():
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs), panel["title"]


def test_titles_are_unique_in_their_dashboard() -> None:
    """Alerts and the documentation name a panel by its title."""
    for uid, board in boards().items():
        titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]
        assert len(set(titles)) == len(titles), uid


def test_every_panel_lies_on_the_grid_and_over_no_other() -> None:
    for uid, board in boards().items():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24, panel["title"]
            assert at["w"] > 2, panel["title"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken, f"{uid}: {panel['title']}"
            taken |= cells


def test_every_panel_has_a_unit_where_one_applies() -> None:
    for uid, panel in panels():
        if panel["type"] not in WITHOUT_UNIT:
            assert panel["fieldConfig"]["defaults"].get("unit") in UNITS, f"{uid}: {panel['title']}"
        if panel["type"] == "heatmap":
            assert panel["options"]["yAxis"]["unit"] in UNITS
        if panel["type"] == "table" and panel["datasource"]["type"] == "prometheus":
            units = [
                each["value"]
                for o in panel["fieldConfig"]["overrides"]
                for each in o["properties"]
                if each["id"] == "unit"
            ]
            assert len(units) == len(panel["targets"])
            assert set(units) <= UNITS


@pytest.mark.parametrize("query", PROMQL, ids=ids(PROMQL))
def test_a_unit_fits_what_is_measured(query: Query) -> None:
    """A duration in milliseconds is not shown in seconds, a share not as a number."""
    unit = query.panel["fieldConfig"]["defaults"].get("unit")
    if query.panel["type"] in WITHOUT_UNIT:
        return
    text = query.asked
    if "histogram_quantile" in text:
        assert unit == "ms"
    gauge = re.fullmatch(r"(?:sum|min|max)(?: by \([^)]*\))? ?\(*(\w+)(\{[^}]*\})?\)*", text)
    if gauge and gauge[1].endswith(("_seconds", "_bytes")):
        assert unit == {"seconds": "s", "bytes": "bytes"}[gauge[1].rsplit("_", 1)[1]]
    if re.match(r"(sum|sum by \([^)]*\)) ?\(rate\(", text) and not re.search(r"\* (60|3600)$", text):
        assert unit in {"ops", "eps", "cps", "reqps", "short", "percentunit"}


def test_every_panel_says_what_to_do() -> None:
    for uid, panel in panels():
        text = panel.get("description", "")
        assert len(text) >= 60, f"{uid}: {panel['title']}"
        assert text.endswith((".", "?")), f"{uid}: {panel['title']}"


@pytest.mark.parametrize("query", PROMQL, ids=ids(PROMQL))
def test_a_promql_query_parses_and_asks_only_for_what_is_exported(query: Query) -> None:
    assert "$" not in query.asked
    promql.parse(query.asked)
    known = dict(sc.METRIC_LABELS) | foreign_metrics.LABELS
    series = set(known) | {
        f"{name}_{end}" for name in sc.HISTOGRAM_BUCKETS for end in ("bucket", "sum", "count")
    }
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
    recorded = {sc.SLO_OBJECTIVE, sc.ERROR_BUDGET_REMAINING, sc.WORKFLOW_SUCCESS_RATE, sc.STEP_LATENCY_P99}
    recorded |= {f"{sc.SLO_ERRORS}{window}" for window in windows}
    assert promql.metric_names(query.asked) <= series | recorded
    labels = {label for names in known.values() for label in names} | {
        sc.SLO,
        sc.SUBJECT,
        "le",
        "job",
        "instance",
    }
    made = {"source", "target", "id", "none", "objective_id"}  # by label_join, for a graph or a table
    assert promql.label_names(query.asked) <= labels | made


@pytest.mark.parametrize("query", LOGQL, ids=ids(LOGQL))
def test_a_logql_query_parses(query: Query) -> None:
    assert "$" not in query.asked
    logql.parse(query.asked)
    assert query.target["queryType"] == "range"


@pytest.mark.parametrize("query", TRACEQL, ids=ids(TRACEQL))
def test_a_traceql_query_parses(query: Query) -> None:
    assert "$" not in query.asked
    traceql.parse(query.asked)
    assert (query.target["queryType"], query.target["filters"]) == ("traceql", [])


@pytest.mark.parametrize("values", [("one", "one"), ("(one|two)", "one|two")], ids=["one", "two"])
def test_queries_still_parse_with_values_chosen(values: tuple[str, str]) -> None:
    """As each datasource of Grafana writes them: Prometheus and Loki in brackets, Tempo with bars alone."""
    names = ("workflow", "agent", "job", "instance", "slo")
    for query in queries():
        value = values[1] if query.kind == "tempo" else values[0]
        text = query.target["query" if query.kind == "tempo" else "expr"]
        parse = {"prometheus": promql.parse, "loki": logql.parse, "tempo": traceql.parse}[query.kind]
        parse(substituted(text, query.board, dict.fromkeys(names, value)))  # type: ignore[operator]


@pytest.mark.promtool
def test_promtool_accepts_every_promql_query(tmp_path: Path) -> None:
    promtool = require_program("promtool", "prometheus")
    # Other labels for each, because equal rules are reported.
    rules = [{"record": "a:b", "expr": each.asked, "labels": {"n": str(n)}} for n, each in enumerate(PROMQL)]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(PROMQL)} rules found" in done.stdout


def _links() -> list[tuple[str, str, dict[str, Any]]]:
    return [(uid, panel["title"], link) for uid, panel in panels() for link in links_of(panel)]


def test_links_to_dashboards_lead_to_ours_with_time_range_and_datasource() -> None:
    found = [(uid, link) for uid, _, link in _links() if link["url"].startswith("/d/")]
    assert found
    for _, link in found:
        target, _, rest = link["url"].removeprefix("/d/").partition("?")
        assert target in UIDS
        assert "${__url_time_range}" in rest
        assert ("${__all_variables}" in rest) != ("${datasource:queryparam}" in rest)
        known = {each["name"] for each in boards()[target]["templating"]["list"]}
        assert set(re.findall(r"&var-(\w+)=", rest)) <= known


def test_links_into_explore_carry_a_query_that_parses() -> None:
    found = [link["url"] for _, _, link in _links() if link["url"].startswith("/explore?")]
    assert found
    for url in found:
        (pane,) = json.loads(parse_qs(urlsplit(url).query)["panes"][0]).values()
        (query,) = pane["queries"]
        assert DATASOURCES[query["datasource"]["uid"]] == query["datasource"]["type"]
        assert pane["datasource"] == query["datasource"]["uid"]
        assert pane["range"] == {"from": "${__from}", "to": "${__to}"}
        clicked = re.sub(r"\$\{__field\.labels\.\w+\}", "x", query.get("query") or query["expr"])
        (traceql.parse if query["datasource"]["type"] == "tempo" else logql.parse)(clicked)  # type: ignore[operator]


def test_what_a_link_takes_from_a_clicked_series_is_a_label_of_it() -> None:
    for uid, panel in panels():
        wanted = set(re.findall(r"__field\.labels\.(\w+)", unquote(json.dumps(links_of(panel)))))
        for target in panel["targets"] if wanted else ():
            names = promql.label_names(substituted(target["expr"], uid))
            assert wanted <= names | {sc.WORKFLOW_ID}, panel["title"]


def test_every_dashboard_leads_to_the_others_with_time_range_and_variables() -> None:
    for board in boards().values():
        ours, incidents = board["links"]
        assert (ours["tags"], ours["includeVars"], ours["keepTime"]) == (["awf"], True, True)
        assert "awf" in board["tags"]
        assert incidents["url"] == "${awf}/ui/incidents"


def test_remediations_and_deployments_are_marked() -> None:
    for board in boards().values():
        built_in, *ours = board["annotations"]["list"]
        assert built_in["builtIn"] == 1
        assert [each["target"]["tags"] for each in ours] == [["awf", "remediation"], ["awf", "deployment"]]
        for each in ours:
            assert each["enable"]
            assert not each["target"]["matchAny"]  # both tags, not one of them
            assert each["datasource"]["uid"] == "-- Grafana --"
        assert len({each["iconColor"] for each in ours}) == 2


def test_no_dashboard_asks_more_often_than_every_five_seconds() -> None:
    for board in boards().values():
        assert int(board["refresh"].removesuffix("s")) >= 5


def test_duration_panels_ask_for_exemplars_and_nothing_else_does() -> None:
    asked = [query for query in PROMQL if query.target["exemplar"]]
    assert {query.panel["title"] for query in asked} >= {
        "Step duration, p95",
        "Step duration, p95 by agent",
        "Step duration",
    }
    for query in asked:
        assert "_bucket" in query.asked
        assert query.panel["type"] in {"timeseries", "heatmap"}


def test_an_alert_that_a_description_names_exists() -> None:
    for uid, panel in panels():
        for alert in re.findall(r"AWF[A-Z][A-Za-z]+", panel["description"]):
            assert alert in ALERTS, f"{uid}: {panel['title']}"


def test_a_line_in_a_graph_is_where_its_alert_fires() -> None:
    checked = set()
    for _, panel in panels():
        named_alerts = [a for a in re.findall(r"AWF[A-Z][A-Za-z]+", panel["description"]) if a in ALERTS]
        if panel["type"] != "timeseries" or "custom" not in panel["fieldConfig"]["defaults"]:
            continue
        if panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"] == "off":
            continue
        line = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"]
        for alert in named_alerts:
            figures = {
                float(found) for found in re.findall(r"(?:>=?|<=?) (\d+(?:\.\d+)?)", ALERTS[alert].expr)
            } | {burn.factor for burn in BURNS if burn.alert == alert}
            assert line in figures, f"{panel['title']}: {alert}"
            checked.add(alert)
    assert checked >= {
        "AWFWorkflowFailures", "AWFAgentErrors", "AWFStepSlow", "AWFSpoolNearlyFull", "AWFExportStalled",
        "AWFExecutionStuck", "AWFApprovalExpiring", "AWFCollectorQueueFull", "AWFErrorBudgetBurnsVeryFast",
        "AWFErrorBudgetBurnsFast", "AWFErrorBudgetBurnsSteadily", "AWFErrorBudgetBurnsSlowly",
    }  # fmt: skip


def test_thresholds_begin_without_a_value_and_rise() -> None:
    for uid, panel in panels():
        first, *rest = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        values = [step["value"] for step in rest]
        assert first["value"] is None, f"{uid}: {panel['title']}"
        assert values == sorted(values), f"{uid}: {panel['title']}"


def test_a_graph_gives_every_edge_what_grafana_needs() -> None:
    (panel,) = [panel for _, panel in panels() if panel["type"] == "nodeGraph"]
    (target,) = panel["targets"]
    assert (target["refId"], target["format"], target["instant"]) == ("edges", "table", True)
    for name in ("id", "source", "target"):
        assert f'"{name}"' in target["expr"]
    (organize,) = panel["transformations"]
    assert organize["options"]["renameByName"] == {"Value": "mainstat"}


def test_an_approval_that_was_answered_is_not_shown_as_if_it_still_waited() -> None:
    """The last value of a time range would be; the series itself is found for five minutes after its end."""
    for query in PROMQL:
        if sc.WATCHER_APPROVAL_EXPIRES in query.asked:
            assert f"sum({sc.WATCHER_APPROVALS_PENDING}) > 0" in query.asked
            assert query.target["instant"] or query.panel["type"] == "timeseries"


def test_a_number_that_may_be_none_over_the_time_shown_is_asked_once_at_its_end() -> None:
    """An older point of a range looks back past the time shown: what is long over would stand there as the last."""
    over_the_time_shown = [
        query
        for query in PROMQL
        if query.panel["type"] == "stat"
        and "$__range" in query.target["expr"]
        and query.panel["fieldConfig"]["defaults"]["noValue"] != "no data yet"
    ]
    assert len(over_the_time_shown) == 3
    assert all(query.target["instant"] for query in over_the_time_shown)
