"""The queries of a dashboard's panels, with their variables filled as Grafana fills them when one opens it.

No I/O: a dashboard's JSON in, queries out. Variables stand as they do at first: All, or their stored value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from awf.wiring.doctor.case import LOGS, METRICS, TRACES

Json = Mapping[str, Any]

_STORES: Final = {"prometheus": METRICS, "loki": LOGS, "tempo": TRACES}
_VARIABLE: Final = re.compile(r"\$(\w+)|\$\{(\w+)(?:[.:][^}]*)?\}|\[\[(\w+)(?::\w+)?\]\]")
_RELATIVE: Final = re.compile(r"now-(\d+)([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TRACE_METRICS: Final = re.compile(r"\|\s*(\w+_over_time|rate|compare)\s*\(")
_LABEL_VALUES: Final = re.compile(r"label_values\(\s*(?:(.+?)\s*,\s*)?(\w+)\s*\)\s*")
SCRAPE_S: Final = 15
POINTS: Final = 1000
DEFAULT_WINDOW_S: Final = 3600


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One target of a panel, ready to be sent: a path below the datasource and parameters, times in seconds."""

    panel: str
    store: str
    uid: str
    text: str
    path: str
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Unasked:
    """A target that cannot be asked for, and why that is no fault."""

    panel: str
    why: str


def window_s(board: Json) -> int:
    """Return how many seconds a dashboard shows when it is opened."""
    found = _RELATIVE.fullmatch(str((board.get("time") or {}).get("from", "")))
    return int(found[1]) * _UNITS[found[2]] if found else DEFAULT_WINDOW_S


def panel_queries(board: Json, now_s: int, uids: Mapping[str, str]) -> Iterator[PanelQuery | Unasked]:
    """Yield every query of a dashboard. `uids` are the datasources to use where a variable chooses one."""
    values = _values(board, uids) | _built_in(board, now_s)
    for panel in _panels(board.get("panels") or ()):
        title = _fill(str(panel.get("title") or f"panel {panel.get('id')}"), values)
        for target in panel.get("targets") or ():
            if not target.get("hide"):
                yield _query(title, panel, target, values, (now_s - window_s(board), now_s))


def variable_queries(board: Json, now_s: int, uids: Mapping[str, str]) -> Iterator[PanelQuery]:
    """Yield the queries by which a dashboard's variables get their choices."""
    values = _values(board, uids) | _built_in(board, now_s)
    for variable in (board.get("templating") or {}).get("list") or ():
        if variable.get("type") != "query":
            continue
        query = variable.get("query")
        text = str(query.get("query", "") if isinstance(query, Mapping) else query or "")
        found = _LABEL_VALUES.fullmatch(_fill(text, values))
        store, uid = _datasource(variable.get("datasource"), values)
        if found is None or store != METRICS:
            continue
        params: dict[str, object] = {"start": now_s - window_s(board), "end": now_s}
        if found[1]:
            params["match[]"] = found[1]
        path = f"api/v1/label/{found[2]}/values"
        yield PanelQuery(f"variable {variable.get('name')}", METRICS, uid, found[1] or found[2], path, params)


def _panels(panels: Any) -> Iterator[Json]:
    for panel in panels:
        if panel.get("type") == "row":
            yield from _panels(panel.get("panels") or ())  # a row that is folded holds its panels
        else:
            yield panel


def _values(board: Json, uids: Mapping[str, str]) -> dict[str, str]:
    """Return what each variable stands for when the dashboard is opened."""
    values: dict[str, str] = {}
    for variable in (board.get("templating") or {}).get("list") or ():
        name, kind = str(variable.get("name", "")), variable.get("type")
        current = (variable.get("current") or {}).get("value", "")
        chosen = [str(each) for each in current] if isinstance(current, list) else [str(current)]
        if kind == "datasource":
            store = _STORES.get(str(variable.get("query", "")), METRICS)
            values[name] = uids[store]
        elif "$__all" in chosen or (not any(chosen) and variable.get("includeAll")):
            values[name] = str(variable.get("allValue") or ".+")
        elif any(chosen):
            values[name] = "|".join(chosen)
        elif kind in {"custom", "constant", "textbox", "interval"}:
            first = str(variable.get("query") or "").split(",")[0]
            values[name] = first.rpartition(" : ")[2].strip()
        else:
            values[name] = ".+"
    return values


def _built_in(board: Json, now_s: int) -> dict[str, str]:
    range_s = window_s(board)
    interval_s = step_s(range_s)
    return {
        "__interval": f"{interval_s}s",
        "__interval_ms": str(interval_s * 1000),
        "__rate_interval": f"{max(interval_s + SCRAPE_S, 4 * SCRAPE_S)}s",
        "__rate_interval_ms": str(max(interval_s + SCRAPE_S, 4 * SCRAPE_S) * 1000),
        "__range": f"{range_s}s",
        "__range_s": str(range_s),
        "__range_ms": str(range_s * 1000),
        "__auto": f"{interval_s}s",
        "__from": str((now_s - range_s) * 1000),
        "__to": str(now_s * 1000),
    }


def step_s(range_s: int) -> int:
    """Return the seconds between two points, as for a panel of about a thousand pixels."""
    return max(SCRAPE_S, -(-range_s // POINTS))


def _fill(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        return values.get(name, match[0])

    return _VARIABLE.sub(value, text)


def _datasource(source: Any, values: Mapping[str, str]) -> tuple[str, str]:
    """Return store and uid of a datasource; empty for Grafana's own."""
    if not isinstance(source, Mapping):
        return "", ""
    store = _STORES.get(str(source.get("type", "")), "")
    return store, _fill(str(source.get("uid", "")), values)


def _query(
    title: str, panel: Json, target: Json, values: Mapping[str, str], window: tuple[int, int]
) -> PanelQuery | Unasked:
    store, uid = _datasource(target.get("datasource") or panel.get("datasource"), values)
    text = _fill(str(target.get("expr") or target.get("query") or ""), values)
    start, end = window
    if not store:
        return Unasked(title, "asks no store of telemetry")
    if not text.strip() or (store == TRACES and _VARIABLE.search(text)):
        return Unasked(title, "waits for a choice")
    step = step_s(end - start)
    if store == TRACES:
        path = "api/metrics/query_range" if _TRACE_METRICS.search(text) else "api/search"
        return PanelQuery(title, store, uid, text, path, {"q": text, "start": start, "end": end})
    prefix = "loki/api/v1" if store == LOGS else "api/v1"
    is_instant = bool(target.get("instant")) or target.get("queryType") == "instant"
    if is_instant and not target.get("range"):
        return PanelQuery(title, store, uid, text, f"{prefix}/query", {"query": text, "time": end})
    params: dict[str, object] = {"query": text, "start": start, "end": end, "step": step}
    if store == LOGS:
        params |= {"limit": 100}
    return PanelQuery(title, store, uid, text, f"{prefix}/query_range", params)
