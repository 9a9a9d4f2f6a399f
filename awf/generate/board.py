"""A dashboard around its panels: grid, variables, annotations, links, and the form of a current Grafana.

grafanalib writes schema version 12 with fields that Grafana has since dropped; `dashboard` brings the
result to the current form, so that Grafana does not migrate (and mark as changed) what it loads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import grafanalib.core as g
from grafanalib._gen import DashboardEncoder

from awf.generate.panels import DEFAULT_STEPS, METRICS

SCHEMA_VERSION = 41
# Panels that name no version are migrated from Grafana 6.1 on, options and all.
PLUGIN_VERSION = "12.0.0"
WIDTH = 24
REFRESH = "10s"  # never below 5 s: every open browser asks all panels that often
GRAFANA = {"type": "grafana", "uid": "-- Grafana --"}

OBSOLETE_PANEL = ("cacheTimeout", "editable", "error", "height", "hideTimeOverride", "minSpan", "span",
                  "color", "columns", "fontSize", "mappings")  # fmt: skip
OBSOLETE_TARGET = ("query", "target", "metric", "step", "intervalFactor", "interval")
OBSOLETE_DASHBOARD = ("__inputs", "hideControls", "rows", "sharedCrosshair", "style", "gnetId", "timepicker")
OBSOLETE_VARIABLE = ("auto", "auto_count", "auto_min", "useTags", "tagsQuery", "tagValuesQuery")

Row = tuple[str, int, Sequence[g.Panel]]


def dashboard(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    variables: Sequence[g.Template],
    *,
    since: str = "now-30m",
) -> dict[str, Any]:
    """Return a dashboard's JSON. `rows` are (heading, height, panels sharing the width evenly)."""
    board = g.Dashboard(
        uid=uid, title=title, description=description, tags=["awf"], editable=True, timezone="browser",
        refresh=REFRESH, time=g.Time(since, "now"), graphTooltip=1, schemaVersion=SCHEMA_VERSION,
        panels=_placed(rows), templating=g.Templating(list=list(variables)),
        annotations=g.Annotations(list=[_built_in(), *_annotations()]), links=_links(),
    )  # fmt: skip
    plain = json.loads(json.dumps(board.auto_panel_ids().to_json_data(), cls=DashboardEncoder))
    return _modernise(plain)


def variable(name: str, label: str, query: str, *, all_value: str = ".+") -> g.Template:
    """Return a multi-value variable that starts at All; `.*` for a label that series may lack."""
    return g.Template(
        name=name, label=label, query=query, dataSource=METRICS, includeAll=True, multi=True,
        allValue=all_value, default="All", refresh=2, sort=1,
    )  # fmt: skip


def _placed(rows: Sequence[Row]) -> list[g.Panel]:
    panels: list[g.Panel] = []
    top = 0
    for heading, height, members in rows:
        panels.append(g.RowPanel(title=heading, gridPos=g.GridPos(h=1, w=WIDTH, x=0, y=top)))
        for index, panel in enumerate(members):
            left, right = (WIDTH * edge // len(members) for edge in (index, index + 1))
            panel.gridPos = g.GridPos(h=height, w=right - left, x=left, y=top + 1)
            panels.append(panel)
        top += height + 1
    return panels


def _modernise(board: dict[str, Any]) -> dict[str, Any]:
    for name in OBSOLETE_DASHBOARD:
        board.pop(name, None)
    for panel in board["panels"]:
        for name in OBSOLETE_PANEL:
            panel.pop(name, None)
        for index, query in enumerate(panel.get("targets", [])):
            query["refId"] = query.get("refId") or chr(ord("A") + index)
            if query["datasource"] == METRICS:
                _modernise_query(panel, query)
        if panel["type"] in {"timeseries", "heatmap", "state-timeline"}:
            panel["maxDataPoints"] = None
        if panel["type"] != "row":
            _modernise_fields(panel)
    for item in board["templating"]["list"]:
        for name in OBSOLETE_VARIABLE:
            item.pop(name, None)
        item["current"] = {"text": ["All"], "value": ["$__all"]}
        item["definition"] = item["query"]
        item["query"] = {"query": item["definition"], "refId": "StandardVariableQuery"}
    board["templating"]["list"][:0] = _datasources()
    return dict(_without_nulls(board))


def _modernise_query(panel: dict[str, Any], query: dict[str, Any]) -> None:
    for name in OBSOLETE_TARGET:
        query.pop(name, None)
    query["range"] = not query["instant"]
    query["exemplar"] = panel["type"] in {"timeseries", "heatmap"} and "_bucket" in query["expr"]


def _modernise_fields(panel: dict[str, Any]) -> None:
    panel["pluginVersion"] = PLUGIN_VERSION
    panel["fieldConfig"].setdefault("overrides", [])
    defaults = panel["fieldConfig"]["defaults"]
    if not defaults.get("thresholds", {}).get("steps"):
        defaults["thresholds"] = {"mode": "absolute", "steps": DEFAULT_STEPS}
    if panel["type"] == "table":
        defaults["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
    legend = panel["options"].get("legend")
    if legend is not None and "displayMode" in legend:
        legend["showLegend"] = True


def _without_nulls(value: Any) -> Any:
    # `value: null` in a threshold means minus infinity and must stay.
    if isinstance(value, dict):
        return {
            key: _without_nulls(item) for key, item in value.items() if item is not None or key == "value"
        }
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _datasources() -> list[dict[str, Any]]:
    # Chosen by variables, so that the dashboards work in a Grafana whose datasources have other uids. One that
    # is not there gives way to the first of its kind; only the first is worth a place on the page.
    return [
        {
            "name": name, "label": label, "type": "datasource", "query": kind, "hide": hide,
            "current": {"text": uid, "value": uid}, "includeAll": False,
            "multi": False, "options": [], "refresh": 1, "regex": "",
        }
        for name, label, kind, uid, hide in (
            ("datasource", "Metrics", "prometheus", "mimir", 0),
            ("logs", "Logs", "loki", "loki", 2),
            ("traces", "Traces", "tempo", "tempo", 2),
        )
    ]  # fmt: skip


def _built_in() -> dict[str, Any]:
    # Grafana adds it by itself when it is missing, and then takes the dashboard for edited.
    return {
        "name": "Annotations & Alerts", "builtIn": 1, "enable": True, "hide": True, "type": "dashboard",
        "iconColor": "rgba(0, 211, 255, 1)", "datasource": GRAFANA,
    }  # fmt: skip


def _annotations() -> list[dict[str, Any]]:
    return [
        {
            "name": name, "enable": True, "iconColor": color, "type": "tags", "datasource": GRAFANA,
            "target": {"type": "tags", "tags": ["awf", tag], "matchAny": False, "limit": 100},
        }
        for name, tag, color in (
            ("Remediations", "remediation", "purple"),
            ("Deployments", "deployment", "blue"),
        )
    ]  # fmt: skip


def _links() -> list[dict[str, Any]]:
    return [
        {
            "title": "AWF dashboards", "type": "dashboards", "tags": ["awf"], "asDropdown": True,
            "includeVars": True, "keepTime": True,
        },
        {
            "title": "Incidents", "type": "link", "url": "${awf}/ui/incidents", "icon": "external link",
            "tooltip": "What the watcher found and did, on AWF's own pages", "targetBlank": True,
            "tags": [], "asDropdown": False, "includeVars": False, "keepTime": False,
        },
    ]  # fmt: skip
