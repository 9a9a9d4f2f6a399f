"""A dashboard with every kind of panel that the page draws, over what the demo sends."""

from __future__ import annotations

from typing import Any

METRICS = {"type": "prometheus", "uid": "mimir"}
LOGS = {"type": "loki", "uid": "loki"}
TRACES = {"type": "tempo", "uid": "tempo"}
RUNS = "sum by (workflow_id) (increase(awf_workflow_total[5m]))"
STEPS = "sum by (le) (rate(awf_step_duration_ms_bucket[5m]))"


def board(trace_id: str) -> dict[str, Any]:
    """Return its JSON; one panel shows this trace."""
    donut = {"pieType": "donut", "legend": {"displayMode": "table", "values": ["value"]}}
    panels = [
        _panel("timeseries", METRICS, {"expr": RUNS}),
        _panel("stat", METRICS, {"expr": RUNS, "instant": True}, {"graphMode": "area"}),
        _panel("gauge", METRICS, {"expr": RUNS, "instant": True}),
        _panel("bargauge", METRICS, {"expr": RUNS, "instant": True}, {"displayMode": "gradient"}),
        _panel("table", METRICS, {"expr": RUNS, "instant": True, "format": "table"}),
        _panel("piechart", METRICS, {"expr": RUNS, "instant": True}, donut),
        _panel("heatmap", METRICS, {"expr": STEPS, "format": "heatmap", "legendFormat": "{{le}}"}),
        _panel("state-timeline", METRICS, {"expr": f"{RUNS} > bool 0"}),
        _panel("logs", LOGS, {"expr": '{service_name=~".+"}'}),
        _panel("traces", TRACES, {"query": trace_id, "queryType": "traceId"}),
        _panel("text", None, {}, {"content": "**Words** of the author"}),
    ]
    for number, panel in enumerate(panels):
        panel |= {"id": number + 1, "gridPos": {"x": number % 2 * 12, "y": number // 2 * 8, "w": 12, "h": 8}}
    panels += [
        _panel("heatmap", TRACES, {"query": "{} | histogram_over_time(duration)"})
        | {"id": 50, "title": "heatmap of traces", "gridPos": {"x": 0, "y": 60, "w": 12, "h": 8}},
        _panel("table", TRACES, {"query": "{}", "limit": 5})
        | {"id": 51, "title": "table of traces", "gridPos": {"x": 12, "y": 60, "w": 12, "h": 8}},
    ]
    return {"uid": "kinds", "title": "Every kind", "tags": [], "panels": panels, "schemaVersion": 41}


def _panel(
    kind: str, source: dict[str, str] | None, target: dict[str, Any], options: dict[str, Any] | None = None
) -> dict[str, Any]:
    targets = [{"refId": "A", "datasource": source} | target] if source else []
    return {"type": kind, "title": kind, "datasource": source, "targets": targets, "options": options or {}}
