"""What grafanalib 0.7.1 lacks for a current Grafana, and our defaults for panels.

grafanalib writes schema version 12 with fields that Grafana has since dropped; `dashboard` brings the
result to the current form, so that Grafana does not migrate (and mark as changed) what it loads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import grafanalib.core as g
from grafanalib._gen import DashboardEncoder

SCHEMA_VERSION = 41
# Panels that name no version are migrated from Grafana 6.1 on, options and all.
PLUGIN_VERSION = "12.0.0"
# Chosen by a variable, so that the dashboards work in a Grafana whose datasource has another uid.
METRICS = {"type": "prometheus", "uid": "${datasource}"}
DEFAULT_UID = "mimir"
WIDTH = 24

OBSOLETE_PANEL = ("cacheTimeout", "editable", "error", "height", "hideTimeOverride", "minSpan", "span",
                  "color", "columns", "fontSize", "mappings")  # fmt: skip
OBSOLETE_TARGET = ("query", "target", "metric", "step", "intervalFactor", "interval")
OBSOLETE_DASHBOARD = ("__inputs", "hideControls", "rows", "sharedCrosshair", "style", "gnetId", "timepicker")
OBSOLETE_VARIABLE = ("auto", "auto_count", "auto_min", "useTags", "tagsQuery", "tagValuesQuery")

GREEN, YELLOW, RED = "green", "yellow", "red"


class ModernHeatmap(g.Panel):  # type: ignore[misc]
    """The heatmap panel of Grafana 9 and later, over a classic Prometheus histogram."""

    def to_json_data(self) -> dict[str, Any]:
        options = {
            "calculate": False,
            "cellGap": 1,
            "cellValues": {"unit": "ops"},
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5,
                      "fill": "dark-orange", "reverse": False, "scale": "exponential"},
            "yAxis": {"unit": "ms", "axisPlacement": "left", "reverse": False},
            "rowsFrame": {"layout": "auto", "value": "Steps per second"},
            "filterValues": {"le": 1e-9},  # an empty bucket is no cell
            "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": True},
            "legend": {"show": True},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
        }  # fmt: skip
        return dict(self.panel_json({"type": "heatmap", "options": options}))


class ModernBarGauge(g.Panel):  # type: ignore[misc]
    """The bar gauge of Grafana 7 and later; grafanalib writes the form of Grafana 6."""

    def to_json_data(self) -> dict[str, Any]:
        options = {
            "displayMode": "basic",
            "orientation": "horizontal",
            "valueMode": "color",
            "namePlacement": "left",
            "showUnfilled": True,
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
        return dict(self.panel_json({"type": "bargauge", "options": options}))


def target(expr: str, legend: str = "", *, instant: bool = False, format_: str = "time_series") -> g.Target:
    """Return one query of the metrics datasource; range queries carry exemplars."""
    return g.Target(expr=expr, legendFormat=legend, instant=instant, format=format_, datasource=METRICS)


def stat(
    title: str,
    expr: str,
    unit: str,
    description: str,
    *,
    steps: Sequence[tuple[str, float | None]] = (),
    link: dict[str, Any] | None = None,
) -> g.Stat:
    """Return a single number with a sparkline; `steps` are (colour, from value)."""
    return g.Stat(
        title=title, description=description, dataSource=METRICS, targets=[target(expr)], format=unit,
        reduceCalc="lastNotNull", graphMode="area", colorMode="value", noValue="no data yet",
        thresholds=_thresholds(steps or ((GREEN, None),)), links=[link] if link else [],
    )  # fmt: skip


def link_to(title: str, uid: str) -> dict[str, Any]:
    """Return a panel's link to another dashboard of ours; time range and datasource go with it."""
    url = f"/d/{uid}?${{__url_time_range}}&${{datasource:queryparam}}"
    return {"title": title, "url": url, "targetBlank": False}


def timeseries(
    title: str,
    queries: Iterable[tuple[str, str]],
    unit: str,
    description: str,
    *,
    stacked: bool = False,
    steps: Sequence[tuple[str, float | None]] = (),
) -> g.TimeSeries:
    """Return lines over time; `queries` are (expression, legend)."""
    return g.TimeSeries(
        title=title, description=description, dataSource=METRICS, unit=unit, valueMin=0,
        targets=[target(expr, legend) for expr, legend in queries],
        fillOpacity=25 if stacked else 8, stacking={"mode": "normal" if stacked else "none", "group": "A"},
        tooltipMode="multi", tooltipSort="desc", legendDisplayMode="table", legendCalcs=["lastNotNull", "max"],
        thresholds=_thresholds(steps) if steps else [], thresholdsStyleMode="line" if steps else "off",
    )  # fmt: skip


def heatmap(title: str, expr: str, description: str) -> ModernHeatmap:
    """Return a heatmap of a histogram's buckets."""
    query = target(expr, "{{le}}", format_="heatmap")
    return ModernHeatmap(title=title, description=description, dataSource=METRICS, targets=[query])


def pie(title: str, expr: str, legend: str, unit: str, description: str) -> g.PieChartv2:
    """Return a donut of an instant query."""
    return g.PieChartv2(
        title=title, description=description, dataSource=METRICS, unit=unit, pieType="donut",
        targets=[target(expr, legend, instant=True)], reduceOptionsCalcs=["lastNotNull"],
        legendDisplayMode="table", legendPlacement="right", legendValues=["value", "percent"],
    )  # fmt: skip


def bars(title: str, expr: str, legend: str, unit: str, description: str) -> ModernBarGauge:
    """Return horizontal bars of an instant query, 0 to 1."""
    defaults = {"unit": unit, "min": 0, "max": 1, "color": {"mode": "thresholds"}}
    return ModernBarGauge(
        title=title, description=description, dataSource=METRICS,
        targets=[target(expr, legend, instant=True)], extraJson={"fieldConfig": {"defaults": defaults}},
        thresholds=_thresholds(((RED, None), (YELLOW, 0.6), (GREEN, 0.8))),
    )  # fmt: skip


def table(
    title: str, columns: Sequence[tuple[str, str, str]], key: str, description: str, *, red_above: float
) -> g.Table:
    """Return one row per `key` label; `columns` are (heading, expression, unit). The second column sorts
    the rows, worst first, and is red above `red_above`."""
    targets = [target(expr, instant=True, format_="table") for _, expr, _ in columns]
    values = [f"Value #{chr(ord('A') + index)}" for index in range(len(columns))]
    heading = key.removesuffix("_id").capitalize()
    renames = {key: heading} | {value: name for value, (name, _, _) in zip(values, columns, strict=True)}
    overrides = [_column(name, unit) for name, _, unit in columns]
    overrides[1]["properties"] += [
        {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        {"id": "thresholds", "value": {"mode": "absolute", "steps": _thresholds(((GREEN, None), (RED, red_above)))}},
    ]  # fmt: skip
    organize = {
        "renameByName": renames,
        "excludeByName": {"Time": True} | {f"Time {index + 1}": True for index in range(len(columns))},
        "indexByName": {name: index for index, name in enumerate([key, *values])},
    }
    return g.Table(
        title=title, description=description, dataSource=METRICS, targets=targets, overrides=overrides,
        filterable=True, sortBy=[g.TableSortByField(displayName=columns[1][0], desc=True)],
        transformations=[
            {"id": "joinByField", "options": {"byField": key, "mode": "outer"}},
            {"id": "organize", "options": organize},
        ],
    )  # fmt: skip


def _column(name: str, unit: str) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [{"id": "unit", "value": unit}]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def variable(name: str, label: str, query: str, *, all_value: str = ".+") -> g.Template:
    """Return a multi-value variable that starts at All; `.*` for a label that series may lack."""
    return g.Template(
        name=name, label=label, query=query, dataSource=METRICS, includeAll=True, multi=True,
        allValue=all_value, default="All", refresh=2, sort=1,
    )  # fmt: skip


def _datasource_variable() -> dict[str, Any]:
    return {
        "name": "datasource", "label": "Metrics", "type": "datasource", "query": "prometheus",
        "current": {"text": DEFAULT_UID, "value": DEFAULT_UID}, "hide": 0, "includeAll": False,
        "multi": False, "options": [], "refresh": 1, "regex": "",
    }  # fmt: skip


def dashboard(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[tuple[str, int, Sequence[g.Panel]]],
    variables: Sequence[g.Template],
) -> dict[str, Any]:
    """Return a dashboard's JSON. `rows` are (heading, height, panels sharing the width evenly)."""
    panels: list[g.Panel] = []
    top = 0
    for heading, height, members in rows:
        panels.append(g.RowPanel(title=heading, gridPos=g.GridPos(h=1, w=WIDTH, x=0, y=top)))
        width = WIDTH // len(members)
        for index, panel in enumerate(members):
            panel.gridPos = g.GridPos(h=height, w=width, x=index * width, y=top + 1)
            panels.append(panel)
        top += height + 1
    board = g.Dashboard(
        uid=uid, title=title, description=description, tags=["awf"], editable=True, timezone="browser",
        refresh="10s", time=g.Time("now-30m", "now"), graphTooltip=1, schemaVersion=SCHEMA_VERSION,
        panels=panels, templating=g.Templating(list=list(variables)),
        annotations=g.Annotations(list=[_built_in_annotations(), _remediations()]), links=[_links()],
    )  # fmt: skip
    plain = json.loads(json.dumps(board.auto_panel_ids().to_json_data(), cls=DashboardEncoder))
    return _modernise(plain)


def _modernise(board: dict[str, Any]) -> dict[str, Any]:
    for name in OBSOLETE_DASHBOARD:
        board.pop(name, None)
    for panel in board["panels"]:
        for name in OBSOLETE_PANEL:
            panel.pop(name, None)
        for index, query in enumerate(panel.get("targets", [])):
            for name in OBSOLETE_TARGET:
                query.pop(name, None)
            query["refId"] = chr(ord("A") + index)
            query["range"] = not query["instant"]
            query["exemplar"] = panel["type"] in {"timeseries", "heatmap"} and "_bucket" in query["expr"]
        if panel["type"] in {"timeseries", "heatmap"}:
            panel["maxDataPoints"] = None
        if panel["type"] != "row":
            _modernise_fields(panel)
    for item in board["templating"]["list"]:
        for name in OBSOLETE_VARIABLE:
            item.pop(name, None)
        item["current"] = {"text": ["All"], "value": ["$__all"]}
        item["definition"] = item["query"]
        item["query"] = {"query": item["definition"], "refId": "StandardVariableQuery"}
    board["templating"]["list"].insert(0, _datasource_variable())
    return dict(_without_nulls(board))


def _modernise_fields(panel: dict[str, Any]) -> None:
    panel["pluginVersion"] = PLUGIN_VERSION
    panel["fieldConfig"].setdefault("overrides", [])
    defaults = panel["fieldConfig"]["defaults"]
    if not defaults.get("thresholds", {}).get("steps"):
        defaults["thresholds"] = {"mode": "absolute", "steps": _thresholds(((GREEN, None),))}
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


def _thresholds(steps: Sequence[tuple[str, float | None]]) -> list[dict[str, Any]]:
    return [{"color": color, "value": value} for color, value in steps]


def _built_in_annotations() -> dict[str, Any]:
    # Grafana adds it by itself when it is missing, and then takes the dashboard for edited.
    return {
        "name": "Annotations & Alerts", "builtIn": 1, "enable": True, "hide": True, "type": "dashboard",
        "iconColor": "rgba(0, 211, 255, 1)", "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    }  # fmt: skip


def _remediations() -> dict[str, Any]:
    return {
        "name": "Remediations", "enable": True, "iconColor": "purple", "type": "tags",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "target": {"type": "tags", "tags": ["awf", "remediation"], "matchAny": False, "limit": 100},
    }  # fmt: skip


def _links() -> dict[str, Any]:
    return {
        "title": "AWF dashboards", "type": "dashboards", "tags": ["awf"], "asDropdown": True,
        "includeVars": True, "keepTime": True,
    }  # fmt: skip
