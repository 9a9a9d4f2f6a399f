"""What a panel asks when its dashboard is opened, and why it shows nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awf.core import semconv as sc
from awf.core.ports import Datasource
from awf.embedded import promql
from awf.generate.output import render_dashboards
from awf.testing import FakeDashboards
from awf.wiring.doctor.checks.dashboards_match import compare
from awf.wiring.doctor.emptiness import Known, explain
from awf.wiring.doctor.panel_queries import PanelQuery, panel_queries

NOW_MS = 1_700_000_000_000
DATASOURCE = {
    "name": "datasource",
    "type": "datasource",
    "query": "prometheus",
    "current": {"value": "mimir"},
}


def grafana() -> FakeDashboards:
    """Three datasources; a look-up of the values of `w` finds two."""
    kinds = {"mimir": "prometheus", "loki": "loki", "tempo": "tempo"}
    sources = [Datasource(uid, uid.title(), kind) for uid, kind in kinds.items()]
    return FakeDashboards(
        {}, sources, answers={("mimir", "/api/v1/label/w/values"): {"data": ["one", "two"]}}
    )


def board(*targets: dict[str, Any], variables: tuple[dict[str, Any], ...] = (DATASOURCE,)) -> dict[str, Any]:
    panel = {"id": 1, "title": "P", "type": "timeseries", "targets": list(targets)}
    return {
        "uid": "b",
        "panels": [panel],
        "templating": {"list": list(variables)},
        "time": {"from": "now-6h"},
    }


def prometheus(expr: str, uid: str = "${datasource}", **fields: Any) -> dict[str, Any]:
    return {"datasource": {"type": "prometheus", "uid": uid}, "expr": expr, **fields}


async def only(model: dict[str, Any]) -> PanelQuery:
    (found,) = await panel_queries(model, grafana(), NOW_MS)
    return found


async def test_a_query_is_filled_for_the_range_that_the_dashboard_opens_with() -> None:
    found = await only(board(prometheus("increase(x[$__range])")))
    assert found.query is not None
    assert (found.query.datasource.uid, found.query.path, found.store) == (
        "mimir",
        "/api/v1/query_range",
        "metrics",
    )
    assert found.query.expr == "increase(x[21600s])"


async def test_choices_of_variables_are_looked_up_as_grafana_does() -> None:
    variable = {
        "name": "w", "type": "query", "query": "label_values(x, w)", "includeAll": True, "multi": True,
        "datasource": {"type": "prometheus", "uid": "${datasource}"}, "current": {"value": ["$__all"]},
    }  # fmt: skip
    source = grafana()
    model = board(prometheus('x{w=~"$w"}'), variables=(DATASOURCE, variable))
    (found,) = await panel_queries(model, source, NOW_MS)
    assert found.query is not None
    assert found.query.expr == 'x{w=~"(one|two)"}'
    assert [path for _, path, _ in source.asked] == ["/api/v1/label/w/values"]


async def test_what_cannot_be_asked_says_why_and_what_is_wrong_is_an_error() -> None:
    own = {"datasource": {"type": "grafana", "uid": "-- Grafana --"}, "query": "x"}
    assert (await only(board(own))).waits == "asks Grafana itself"
    empty = await only(board(prometheus("")))
    assert "is empty" in empty.waits
    gone = await only(board(prometheus("x", "gone")))
    assert "Grafana has no datasource 'gone'" in gone.error
    assert await panel_queries(board(prometheus("x", hide=True)), grafana(), NOW_MS) == []


@pytest.mark.parametrize("path", sorted(render_dashboards()))
async def test_every_query_of_our_dashboards_is_filled_and_can_be_parsed(path: str) -> None:
    queries = await panel_queries(json.loads(render_dashboards()[path]), grafana(), NOW_MS)
    assert queries
    for each in queries:
        assert each.query is not None, each
        assert "$" not in each.query.expr.replace('$"', "")
        if each.store == "metrics":
            promql.parse(each.query.expr)


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
