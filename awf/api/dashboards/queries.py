"""A panel's targets as requests to its datasources' own HTTP APIs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from awf.api.dashboards.board import objects, text
from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.interpolation import Value, interpolate_query
from awf.api.dashboards.intervals import (
    DEFAULT_SCRAPE_MS,
    duration_ms,
    duration_text,
    interval_ms,
    rate_interval_ms,
)
from awf.api.dashboards.request import Window
from awf.core.ports import Datasource
from awf.core.types import Json
from awf.errors import QueryError, UnsupportedQuery

MAX_LINES: Final = 500
MAX_TRACES: Final = 100
LEAST_LOKI_STEP_MS: Final = 1_000

Shape = Literal["matrix", "vector", "logs", "traces", "trace"]
_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_TRACE_METRICS: Final = re.compile(
    r"\|\s*(rate|count_over_time|sum_over_time|min_over_time|max_over_time|avg_over_time"
    r"|quantile_over_time|histogram_over_time)\s*\("
)


@dataclass(frozen=True, slots=True)
class Query:
    """One request: where to ask, what, and in which shape the answer is expected."""

    ref_id: str
    datasource: Datasource
    path: str
    parameters: Mapping[str, str]
    expr: str
    shape: Shape
    format: str = "time_series"
    legend: str = ""
    step_ms: int = 0
    times: tuple[int, int] = (0, 0)
    exemplars: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> Json:
        """What the page shows of it beside its answer."""
        return {
            "ref_id": self.ref_id, "kind": self.datasource.type, "datasource": self.datasource.name,
            "expr": self.expr, "format": self.format, "legend": self.legend, "step_ms": self.step_ms,
        }  # fmt: skip


def targets(panel: Json) -> list[Json]:
    """Return the queries of a panel that are not switched off."""
    return [each for each in objects(panel.get("targets")) if not each.get("hide")]


def build(
    panel: Json, target: Json, *, window: Window, values: Mapping[str, Value], datasources: Datasources
) -> Query:
    """Return a target's request. Raises QueryError, UnsupportedQuery or NotFound (a datasource)."""
    datasource = datasources.resolve(target.get("datasource"), values, panel.get("datasource"))
    builder = _BUILDERS.get(datasource.type)
    if builder is None:
        raise UnsupportedQuery(
            f"query {text(target, 'refId') or '?'} asks a {datasource.type!r:.40} datasource,"
            " which this page does not know",
            hint="Open the dashboard in Grafana to see it.",
        )
    scrape = duration_ms(datasource.interval, DEFAULT_SCRAPE_MS)
    least = scrape if datasource.type == "prometheus" else LEAST_LOKI_STEP_MS
    for owner in (panel, target):
        least = duration_ms(text(owner, "interval"), least)
    points = panel.get("maxDataPoints")
    limit = min(points, window.points) if isinstance(points, int) and points > 0 else window.points
    step = interval_ms(window.length_ms, limit, least)
    written = text(target, "expr") or text(target, "query")
    expr = interpolate_query(written, {**built_in(window, step, max(scrape, 1)), **values}).strip()
    if not expr:
        raise UnsupportedQuery(f"query {text(target, 'refId') or '?'} of this panel is empty")
    return builder(_draft(target, datasource, expr, step), target, window)


def built_in(window: Window, step_ms: int = 60_000, scrape_ms: int = DEFAULT_SCRAPE_MS) -> dict[str, Value]:
    """Return Grafana's own variables."""
    rate_ms = rate_interval_ms(step_ms, scrape_ms)
    seconds = max(1, round(window.length_ms / 1000))
    found = {
        "__interval": duration_text(step_ms),
        "__interval_ms": str(step_ms),
        "__auto": duration_text(step_ms),
        "__rate_interval": duration_text(rate_ms),
        "__rate_interval_ms": str(rate_ms),
        "__range": f"{seconds}s",
        "__range_s": str(seconds),
        "__range_ms": str(window.length_ms),
        "__from": str(window.from_ms),
        "__to": str(window.to_ms),
    }
    return {name: Value((value,), is_trusted=True) for name, value in found.items()}


def _draft(target: Json, datasource: Datasource, expr: str, step_ms: int) -> Query:
    return Query(
        ref_id=text(target, "refId") or "A", datasource=datasource, path="", parameters={}, expr=expr,
        shape="matrix", format=text(target, "format") or "time_series", legend=text(target, "legendFormat"),
        step_ms=step_ms,
    )  # fmt: skip


def _prometheus(draft: Query, target: Json, window: Window) -> Query:
    if target.get("instant") and not (target.get("range") and draft.format == "time_series"):
        # Whole seconds, so that those who look at the same dashboard ask the same.
        at_ms = window.to_ms - window.to_ms % 1_000
        parameters = {"query": draft.expr, "time": _seconds(at_ms)}
        return replace(draft, path="/api/v1/query", parameters=parameters, shape="vector",
                       times=(at_ms, at_ms))  # fmt: skip
    return _aligned(draft, window, "/api/v1/query_range", with_exemplars=bool(target.get("exemplar")))


def _aligned(draft: Query, window: Window, path: str, *, with_exemplars: bool = False) -> Query:
    # Multiples of the step, so that a refresh does not move every point.
    start = window.from_ms - window.from_ms % draft.step_ms
    end = window.to_ms - window.to_ms % draft.step_ms
    span = {"query": draft.expr, "start": _seconds(start), "end": _seconds(end)}
    exemplars = {"query": draft.expr, "start": _seconds(window.from_ms), "end": _seconds(window.to_ms)}
    return replace(draft, path=path, parameters={**span, "step": _seconds(draft.step_ms)}, times=(start, end),
                   exemplars=exemplars if with_exemplars else {})  # fmt: skip


def _loki(draft: Query, target: Json, window: Window) -> Query:
    if not is_log_query(draft.expr):
        if text(target, "queryType") == "instant" or target.get("instant"):
            parameters = {"query": draft.expr, "time": f"{window.to_ms}000000"}
            return replace(draft, path="/loki/api/v1/query", parameters=parameters, shape="vector",
                           times=(window.to_ms, window.to_ms))  # fmt: skip
        return _aligned(draft, window, "/loki/api/v1/query_range")
    lines = target.get("maxLines")
    limit = min(lines, MAX_LINES) if isinstance(lines, int) and lines > 0 else MAX_LINES
    backward = text(target, "direction") != "forward"
    start, end = _around(window, draft.step_ms)
    parameters = {
        "query": draft.expr, "start": f"{start}000000", "end": f"{end}000000",
        "limit": str(limit), "direction": "backward" if backward else "forward",
    }  # fmt: skip
    return replace(draft, path="/loki/api/v1/query_range", parameters=parameters, shape="logs")


def _around(window: Window, step_ms: int) -> tuple[int, int]:
    """Return the window with both ends moved out to whole steps: what is new is in it, and who looks a moment later
    asks the same."""
    return window.from_ms // step_ms * step_ms, -(-window.to_ms // step_ms) * step_ms


def is_log_query(expr: str) -> bool:
    """Whether a LogQL query returns lines: it starts with its selector, not with a function."""
    return expr.lstrip("( \n").startswith("{")


def _tempo(draft: Query, target: Json, window: Window) -> Query:
    kind = text(target, "queryType")
    if _TRACE_ID.fullmatch(draft.expr):
        return replace(draft, path=f"/api/v2/traces/{draft.expr}", parameters={}, shape="trace")
    if kind == "traceId":
        raise QueryError(f"query {draft.ref_id}: {draft.expr!r:.60} is not the id of a trace")
    if kind not in ("", "traceql"):
        raise UnsupportedQuery(
            f"query {draft.ref_id} is of Tempo's type {kind!r:.40}, which this page does not know",
            hint="Open the dashboard in Grafana to see it.",
        )
    start, end = (moment // 1_000 for moment in _around(window, max(draft.step_ms, 1_000)))
    if _TRACE_METRICS.search(draft.expr):
        step = {"step": duration_text(max(draft.step_ms, 1_000))}
        parameters = {"q": draft.expr, "start": str(start), "end": str(end), **step}
        return replace(draft, path="/api/metrics/query_range", parameters=parameters)
    limit = target.get("limit")
    most = min(limit, MAX_TRACES) if isinstance(limit, int) and limit > 0 else 20
    parameters = {"q": draft.expr, "start": str(start), "end": str(end), "limit": str(most)}
    return replace(
        draft,
        path="/api/search",
        parameters=parameters,
        shape="traces",
        format=text(target, "tableType") or "traces",
    )


def _seconds(milliseconds: int) -> str:
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03d}" if rest else str(whole)


_BUILDERS: Final[dict[str, Callable[[Query, Json, Window], Query]]] = {
    "prometheus": _prometheus,
    "loki": _loki,
    "tempo": _tempo,
}
