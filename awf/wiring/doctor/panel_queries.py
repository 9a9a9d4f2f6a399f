"""What the panels of a dashboard ask when it is opened: every variable at its first choice, as Grafana fills it.

It reads dashboards with the code of AWF's own dashboard page, so that both show the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from awf.api.dashboards.board import Board, member, text
from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.interpolation import interpolate_text, names_in
from awf.api.dashboards.queries import Query, build, targets
from awf.api.dashboards.request import Window
from awf.api.dashboards.variables import Resolver
from awf.core.ports import DashboardSource
from awf.errors import AwfError, UnsupportedQuery
from awf.wiring.doctor.case import LOGS, METRICS, TRACES

STORES: Final = {"prometheus": METRICS, "loki": LOGS, "tempo": TRACES}
POINTS: Final = 500
DEFAULT_WINDOW_S: Final = 3600
_RELATIVE: Final = re.compile(r"now-(\d+)([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One target of a panel. Without a query, `error` says why there is none, or `waits` why that is no fault."""

    panel: str
    query: Query | None = None
    error: str = ""
    waits: str = ""

    @property
    def store(self) -> str:
        return STORES.get(self.query.datasource.type, "") if self.query else ""


def window_s(model: dict[str, Any]) -> int:
    """Return how many seconds a dashboard shows when it is opened."""
    found = _RELATIVE.fullmatch(text(member(model, "time"), "from"))
    return int(found[1]) * _UNITS[found[2]] if found else DEFAULT_WINDOW_S


async def panel_queries(model: dict[str, Any], source: DashboardSource, now_ms: int) -> list[PanelQuery]:
    """Return what every panel asks. The choices of variables are looked up, so those queries are tried, too."""
    board = Board(text(model, "uid"), model)
    window = Window(now_ms - window_s(model) * 1000, now_ms, POINTS)
    resolver = Resolver(source, Datasources(await source.datasources()), window, {})
    found = [
        PanelQuery(f"variable {variable.model['name']}", error=variable.error.message)
        for variable in await resolver.resolve(board)
        if variable.error is not None and not isinstance(variable.error, UnsupportedQuery)
    ]
    return [*found, *_of_panels(board, resolver)]


def _of_panels(board: Board, resolver: Resolver) -> Iterator[PanelQuery]:
    for panel in board.panels():
        title = interpolate_text(text(panel, "title") or f"panel {panel.get('id')}", resolver.values)
        for target in targets(panel):
            yield _one(title, panel, target, resolver)


def _one(title: str, panel: dict[str, Any], target: dict[str, Any], resolver: Resolver) -> PanelQuery:
    if text(member(target, "datasource") or member(panel, "datasource"), "uid").startswith("-- "):
        return PanelQuery(title, waits="asks Grafana itself")
    try:
        query = build(
            panel, target, window=resolver.window, values=resolver.values, datasources=resolver.datasources
        )
    except UnsupportedQuery as error:
        return PanelQuery(title, waits=error.message)
    except AwfError as error:
        return PanelQuery(title, error=error.message)
    if unset := [
        name for name in names_in(query.expr) if name in resolver.values and not resolver.values[name].texts
    ]:
        return PanelQuery(title, waits=f"waits for a choice of {', '.join(unset)}")
    return PanelQuery(title, query)
