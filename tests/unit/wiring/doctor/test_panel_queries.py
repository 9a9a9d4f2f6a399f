"""What a panel asks when its dashboard is opened, and why it shows nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awf.core import semconv as sc
from awf.embedded import promql
from awf.generate.output import render_dashboards
from awf.wiring.doctor.checks.dashboards_match import compare
from awf.wiring.doctor.emptiness import Known, explain
from awf.wiring.doctor.panel_queries import PanelQuery, Unasked, panel_queries, variable_queries

UIDS = {"metrics": "m", "logs": "l", "traces": "t"}
NOW = 1_700_000_000


def board(
    *targets: dict[str, Any], variables: tuple[dict[str, Any], ...] = (), **fields: Any
) -> dict[str, Any]:
    panel = {"id": 1, "title": "P", "type": "timeseries", "targets": list(targets)}
    return {"panels": [panel], "templating": {"list": list(variables)}, "time": {"from": "now-6h"}, **fields}


def only(model: dict[str, Any]) -> PanelQuery | Unasked:
    (found,) = panel_queries(model, NOW, UIDS)
    return found


def prometheus(expr: str, **fields: Any) -> dict[str, Any]:
    return {"datasource": {"type": "prometheus", "uid": "${datasource}"}, "expr": expr, **fields}


DATASOURCE = {
    "name": "datasource",
    "type": "datasource",
    "query": "prometheus",
    "current": {"value": "mimir"},
}


def test_the_range_the_step_and_the_rate_interval_are_those_of_the_dashboard() -> None:
    found = only(
        board(prometheus("rate(x[$__rate_interval])[$__range:${__interval}]"), variables=(DATASOURCE,))
    )
    assert isinstance(found, PanelQuery)
    assert (found.uid, found.path) == ("m", "api/v1/query_range")
    assert found.text == "rate(x[60s])[21600s:22s]"
    assert (found.params["start"], found.params["end"], found.params["step"]) == (NOW - 6 * 3600, NOW, 22)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ({"type": "query", "includeAll": True, "allValue": ".*", "current": {"value": ["$__all"]}}, ".*"),
        ({"type": "query", "includeAll": True, "current": {"value": "$__all"}}, ".+"),
        ({"type": "query", "current": {"value": ["a", "b"]}}, "a|b"),
        ({"type": "custom", "query": "p95 : 0.95, p99 : 0.99", "current": {}}, "0.95"),
        ({"type": "textbox", "query": "", "current": {"value": "typed"}}, "typed"),
    ],
    ids=["all with a value", "all", "two chosen", "custom", "typed"],
)
def test_a_variable_stands_as_it_does_when_the_dashboard_opens(variable: dict[str, Any], value: str) -> None:
    for form in ("$v", "${v}", "${v:regex}", "[[v]]"):
        found = only(
            board(prometheus(f'x{{l=~"{form}"}}'), variables=({"name": "v", **variable}, DATASOURCE))
        )
        assert isinstance(found, PanelQuery)
        assert found.text == f'x{{l=~"{value}"}}'


def test_instant_log_and_trace_queries_go_where_they_are_answered() -> None:
    loki, tempo = {"type": "loki", "uid": "l"}, {"type": "tempo", "uid": "t"}
    found = {
        "api/v1/query": prometheus("x", instant=True, range=False),
        "loki/api/v1/query_range": {"datasource": loki, "expr": '{a="b"}'},
        "loki/api/v1/query": {"datasource": loki, "expr": 'rate({a="b"}[5m])', "queryType": "instant"},
        "api/search": {"datasource": tempo, "query": "{ status = error }", "queryType": "traceql"},
        "api/metrics/query_range": {
            "datasource": tempo,
            "query": "{} | rate() by (name)",
            "queryType": "traceql",
        },
    }
    for path, target in found.items():
        query = only(board(target, variables=(DATASOURCE,)))
        assert isinstance(query, PanelQuery)
        assert query.path == path


def test_what_cannot_be_asked_says_why() -> None:
    grafana = {"datasource": {"type": "grafana", "uid": "-- Grafana --"}, "query": "x"}
    choice = {"datasource": {"type": "tempo", "uid": "t"}, "query": "${traceId}"}
    assert [only(board(target)) for target in (grafana, choice)] == [
        Unasked("P", "asks no store of telemetry"), Unasked("P", "waits for a choice"),
    ]  # fmt: skip
    assert list(panel_queries(board(prometheus("x", hide=True)), NOW, UIDS)) == []


def test_panels_of_a_folded_row_are_found() -> None:
    model = board(prometheus("x"))
    model["panels"] = [{"type": "row", "panels": model["panels"]}]
    assert isinstance(only(model | {"templating": {"list": [DATASOURCE]}}), PanelQuery)


@pytest.mark.parametrize("path", sorted(render_dashboards()))
def test_every_query_of_our_dashboards_is_filled_and_can_be_parsed(path: str) -> None:
    model = json.loads(render_dashboards()[path])
    queries = [each for each in panel_queries(model, NOW, UIDS) if isinstance(each, PanelQuery)]
    assert queries
    for query in [*queries, *variable_queries(model, NOW, UIDS)]:
        assert "$" not in query.text.replace('$"', "")
        if query.store == "metrics" and not query.path.startswith("api/v1/label"):
            promql.parse(query.text)


KNOWN = Known(
    lately={sc.WORKFLOWS, "awf_step_duration_ms_bucket"},
    ever={sc.WORKFLOWS, sc.WORKERS},
    recorded={"awf:y:ratio"},
)


@pytest.mark.parametrize(
    ("names", "why", "is_normal", "metrics"),
    [
        ({sc.WORKFLOWS}, "no such series in the time range", True, ()),
        ({sc.RETRIES, sc.FALLBACKS}, "no fallback was taken, no step was retried", True, ()),
        ({sc.WORKERS}, "not written in the time range, but before", True, (sc.WORKERS,)),
        ({sc.AGENT_INVOCATIONS, sc.AGENT_TRUST_SCORE}, "never written: engines write", False,
         (sc.AGENT_INVOCATIONS, sc.AGENT_TRUST_SCORE)),
        ({"awf_watcher_investigation_duration_ms_bucket"}, "the watcher investigated nothing", True, ()),
        ({"awf:x:ratio", sc.WORKFLOWS}, "no rule records it: see", False, ("awf:x:ratio",)),
        ({"awf:y:ratio"}, "nothing to record yet", True, ("awf:y:ratio",)),
        ({"otelcol_exporter_queue_size"}, "Alloy", True, ("otelcol_exporter_queue_size",)),
        ({"made_up"}, "nobody that AWF knows writes it", False, ("made_up",)),
    ],
)  # fmt: skip
def test_an_empty_panel_is_explained(
    names: set[str], why: str, is_normal: bool, metrics: tuple[str, ...]
) -> None:
    found = explain(names, KNOWN)
    assert why in found.why
    assert (found.is_normal, found.metrics) == (is_normal, metrics)


def test_a_dashboard_is_ours_with_what_grafana_adds_and_not_with_what_people_change() -> None:
    ours = json.loads(render_dashboards()["awf-overview.json"])
    theirs = json.loads(json.dumps(ours)) | {"id": 7, "version": 3}
    for panel in theirs["panels"]:
        panel["fieldConfig"] = panel.get("fieldConfig", {}) | {"added": True}
    assert compare(ours, theirs) == []
    first, second = [panel for panel in theirs["panels"] if panel.get("targets")][:2]
    first["targets"][0]["expr"] += " * 2"
    theirs["panels"].remove(second)
    theirs["panels"].append({"id": 999, "title": "Mine"})
    theirs["title"] = "Another"
    assert compare(ours, theirs) == [
        "title", f"no panel {second['title']!r}", "panel 'Mine' is not ours", f"panel {first['title']!r} has other targets",
    ]  # fmt: skip
