"""Links of panels: to other dashboards of ours, and into Explore with a query about what was clicked."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

Link = dict[str, Any]

# What Grafana puts in when a link is followed; everything else in an address is escaped.
_INSERTED = re.compile(r"(\$\{[^}]+\})")


def to_dashboard(title: str, uid: str, **chosen: str) -> Link:
    """Return a link to a dashboard; time range and variables go with it, and `chosen` go before those.

    A value is for example `${__field.labels.agent_id}` (a series) or `${__value.text}` (a table's cell).
    """
    picked = "".join(f"&var-{name}={value}" for name, value in chosen.items())
    # The same variable twice would be two values: with a choice, only the datasource is handed on.
    rest = "${datasource:queryparam}" if chosen else "${__all_variables}"
    return _link(title, f"/d/{uid}?${{__url_time_range}}&{rest}{picked}")


def to_traces(title: str, query: str) -> Link:
    """Return a link to the traces that a TraceQL query finds in the time range shown."""
    asked = {"refId": "A", "queryType": "traceql", "query": query, "limit": 20, "tableType": "spans"}
    return _link(title, _explore("tempo", "${traces}", asked))


def to_logs(title: str, query: str) -> Link:
    """Return a link to the log lines that a LogQL query finds in the time range shown."""
    asked = {"refId": "A", "queryType": "range", "editorMode": "code", "expr": query}
    return _link(title, _explore("loki", "${logs}", asked))


def _explore(kind: str, uid: str, query: dict[str, Any]) -> str:
    pane = {
        "datasource": uid,
        "queries": [query | {"datasource": {"type": kind, "uid": uid}}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    text = json.dumps({"a": pane}, separators=(",", ":"))
    pieces = _INSERTED.split(text)
    return "/explore?schemaVersion=1&panes=" + "".join(
        piece if _INSERTED.fullmatch(piece) else quote(piece, safe="") for piece in pieces
    )


def _link(title: str, url: str) -> Link:
    return {"title": title, "url": url, "targetBlank": False}
