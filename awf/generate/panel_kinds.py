"""Panel kinds of a current Grafana that grafanalib 0.7.1 lacks or writes in the form of Grafana 6.

The options are those of Grafana's own schema (packages/grafana-schema), of which only what differs from its
defaults or is needed to be whole is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grafanalib.core as g


class Heatmap(g.Panel):  # type: ignore[misc]
    """The heatmap panel of Grafana 9 and later, over a classic Prometheus histogram in milliseconds."""

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


class BarGauge(g.Panel):  # type: ignore[misc]
    """The bar gauge of Grafana 7 and later."""

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


class StateTimeline(g.Panel):  # type: ignore[misc]
    """A lane for each series, coloured by what its values mean (Grafana 8 and later)."""

    def to_json_data(self) -> dict[str, Any]:
        options = {
            "mergeValues": True,
            "showValue": "never",
            "alignValue": "left",
            "rowHeight": 0.8,
            "perPage": 20,
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "single", "sort": "none"},
        }
        return dict(self.panel_json({"type": "state-timeline", "options": options}))


class Logs(g.Panel):  # type: ignore[misc]
    """Log lines, newest first; their details hold the structured metadata and the link to the trace."""

    def to_json_data(self) -> dict[str, Any]:
        options = {
            "showTime": True,
            "showLabels": False,
            "showCommonLabels": False,
            "showLogContextToggle": True,
            "wrapLogMessage": True,
            "prettifyLogMessage": False,
            "enableLogDetails": True,
            "dedupStrategy": "none",
            "sortOrder": "Descending",
        }
        return dict(self.panel_json({"type": "logs", "options": options}))


class NodeGraph(g.Panel):  # type: ignore[misc]
    """A graph of its edges alone (fields id, source, target, mainstat): Grafana makes the nodes of them."""

    def to_json_data(self) -> dict[str, Any]:
        options = {
            "nodes": {},
            "edges": {"mainStatUnit": "/min"},
            "zoomMode": "cooperative",
            "layoutAlgorithm": "layered",
        }
        return dict(self.panel_json({"type": "nodeGraph", "options": options}))


def values_mean(meanings: Mapping[int, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return value mappings: what each number means in words, and its colour."""
    return [
        {
            "type": "value",
            "options": {
                str(value): {"text": text, "color": color, "index": index}
                for index, (value, (text, color)) in enumerate(meanings.items())
            },
        }
    ]
