"""Our defaults for panels: one function a kind, with a description that says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grafanalib.core as g

from awf.generate.links import Link
from awf.generate.panel_kinds import BarGauge, Heatmap, Logs, NodeGraph, StateTimeline, values_mean

# Chosen by variables, so that the dashboards work in a Grafana whose datasources have other uids.
METRICS = {"type": "prometheus", "uid": "${datasource}"}
LOGS = {"type": "loki", "uid": "${logs}"}
TRACES = {"type": "tempo", "uid": "${traces}"}

GREEN, YELLOW, RED, CLEAR = "green", "yellow", "red", "transparent"
Steps = Sequence[tuple[str, float | None]]  # (colour, from value)
Query = tuple[str, str]  # (expression, legend)


def _thresholds(steps: Steps) -> list[dict[str, Any]]:
    return [{"color": color, "value": value} for color, value in steps]


DEFAULT_STEPS = _thresholds(((GREEN, None),))


def above(value: float) -> Steps:
    """Return the steps of a line in a graph: where the alert fires."""
    return ((CLEAR, None), (RED, value))


def below(value: float) -> Steps:
    """Return the steps of a line in a graph that values should stay above."""
    return ((RED, None), (CLEAR, value))


def target(expr: str, legend: str = "", *, instant: bool = False, format_: str = "time_series") -> g.Target:
    """Return one query of the metrics datasource; range queries carry exemplars."""
    return g.Target(expr=expr, legendFormat=legend, instant=instant, format=format_, datasource=METRICS)


def stat(
    title: str, expr: str, unit: str, description: str, *, steps: Steps = (), link: Link | None = None,
    empty: str = "no data yet", instant: bool = False,
) -> g.Stat:  # fmt: skip
    """Return a single number with a sparkline; `empty` is what stands there when there is none. One that is gone
    must be `instant`: the last of a range would be shown as if it still were."""
    return g.Stat(
        title=title, description=description, dataSource=METRICS, targets=[target(expr, instant=instant)], format=unit,
        reduceCalc="lastNotNull", graphMode="area", colorMode="value", noValue=empty,
        thresholds=_thresholds(steps) if steps else DEFAULT_STEPS, links=[link] if link else [],
    )  # fmt: skip


def timeseries(
    title: str, queries: Iterable[Query], unit: str, description: str, *, stacked: bool = False,
    steps: Steps = (), links: Sequence[Link] = (), low: int | None = 0,
) -> g.TimeSeries:  # fmt: skip
    """Return lines over time. `links` are offered where a point is clicked; `low` is where the axis begins."""
    defaults = {"links": list(links)} if links else {}
    return g.TimeSeries(
        title=title, description=description, dataSource=METRICS, unit=unit, valueMin=low,
        targets=[target(expr, legend) for expr, legend in queries],
        fillOpacity=25 if stacked else 0, stacking={"mode": "normal" if stacked else "none", "group": "A"},
        tooltipMode="multi", tooltipSort="desc", legendDisplayMode="table", legendCalcs=["lastNotNull", "max"],
        thresholds=_thresholds(steps), thresholdsStyleMode="line" if steps else "off",
        extraJson={"fieldConfig": {"defaults": defaults}},
    )  # fmt: skip


def heatmap(title: str, expr: str, description: str) -> Heatmap:
    """Return a heatmap of a histogram's buckets."""
    query = target(expr, "{{le}}", format_="heatmap")
    return Heatmap(title=title, description=description, dataSource=METRICS, targets=[query])


def pie(title: str, expr: str, legend: str, unit: str, description: str) -> g.PieChartv2:
    """Return a donut of an instant query."""
    return g.PieChartv2(
        title=title, description=description, dataSource=METRICS, unit=unit, pieType="donut",
        targets=[target(expr, legend, instant=True)], reduceOptionsCalcs=["lastNotNull"],
        legendDisplayMode="table", legendPlacement="right", legendValues=["value", "percent"],
    )  # fmt: skip


def bars(
    title: str, expr: str, legend: str, unit: str, description: str, *, steps: Steps, low: float = 0
) -> BarGauge:
    """Return horizontal bars of an instant query, up to 1."""
    defaults = {"unit": unit, "min": low, "max": 1, "color": {"mode": "thresholds"}}
    return BarGauge(
        title=title, description=description, dataSource=METRICS,
        targets=[target(expr, legend, instant=True)], extraJson={"fieldConfig": {"defaults": defaults}},
        thresholds=_thresholds(steps),
    )  # fmt: skip


def states(
    title: str,
    queries: Iterable[Query],
    meanings: Mapping[int, tuple[str, str]],
    description: str,
    empty: str = "",
) -> StateTimeline:
    """Return a lane for each series; `meanings` are what its whole numbers say, and in which colour."""
    defaults = {
        "noValue": empty or None,
        "mappings": values_mean(meanings),
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 70, "lineWidth": 0},
    }
    return StateTimeline(
        title=title, description=description, dataSource=METRICS,
        targets=[target(expr, legend) for expr, legend in queries],
        extraJson={"fieldConfig": {"defaults": defaults}},
    )  # fmt: skip


def logs(title: str, expr: str, description: str) -> Logs:
    """Return the newest log lines that a LogQL query finds."""
    query = {"datasource": LOGS, "expr": expr, "queryType": "range", "editorMode": "code", "maxLines": 100}
    return Logs(title=title, description=description, dataSource=LOGS, targets=[query])


def traces(title: str, query: str, description: str) -> g.Table:
    """Return the newest spans that a TraceQL query finds; the trace id opens the trace."""
    asked = {
        "datasource": TRACES, "query": query, "queryType": "traceql", "tableType": "spans", "limit": 20,
        "spss": 3, "filters": [],
    }  # fmt: skip
    return g.Table(title=title, description=description, dataSource=TRACES, targets=[asked], filterable=True)


def graph(title: str, edges: str, description: str) -> NodeGraph:
    """Return a graph; `edges` gives one series with the labels id, source and target for each."""
    query = target(edges, instant=True, format_="table")
    query.refId = "edges"
    organize = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {"Value": "mainstat"}}
    return NodeGraph(
        title=title, description=description, dataSource=METRICS, targets=[query],
        transformations=[{"id": "organize", "options": organize}],
    )  # fmt: skip


def table(
    title: str, columns: Sequence[tuple[str, str, str]], key: str, description: str, *,
    red_above: float, links: Sequence[Link] = (), heading: str = "",
) -> g.Table:  # fmt: skip
    """Return one row per `key` label; `columns` are (heading, expression, unit). The second column sorts
    the rows, worst first, and is red above `red_above`. `links` are those of the key's cells."""
    targets = [target(expr, instant=True, format_="table") for _, expr, _ in columns]
    values = [f"Value #{chr(ord('A') + index)}" for index in range(len(columns))]
    heading = heading or key.removesuffix("_id").capitalize()
    renames = {key: heading} | {value: name for value, (name, _, _) in zip(values, columns, strict=True)}
    overrides = [_column(name, unit) for name, _, unit in columns]
    overrides[1]["properties"] += [
        {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        {"id": "thresholds", "value": {"mode": "absolute", "steps": _thresholds(((GREEN, None), (RED, red_above)))}},
    ]  # fmt: skip
    if links:
        matcher = {"id": "byName", "options": heading}
        overrides.append({"matcher": matcher, "properties": [{"id": "links", "value": list(links)}]})
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
