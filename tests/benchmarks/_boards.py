"""The generated dashboards' queries, made by the dashboards page's own code, asked of a backend directly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _tab import Tab

from awf.api.dashboards.board import Board, text
from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.queries import Query, build, targets
from awf.api.dashboards.request import Window
from awf.api.dashboards.variables import Resolver
from awf.core.ports import Datasource
from awf.core.types import Json
from awf.errors import AwfError

ROOT = Path(__file__).parents[2]
SOURCES = [Datasource("mimir", "Mimir", "prometheus", is_default=True), Datasource("loki", "Loki", "loki"),
           Datasource("tempo", "Tempo", "tempo")]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """One query of one panel."""

    panel: str
    query: Query


class Source:
    """Answers what variables ask; the rest of `DashboardSource` is not needed here."""

    def __init__(self, tab: Tab, addresses: Mapping[str, str]) -> None:
        self._tab = tab
        self.bases = {
            "mimir": f"{addresses['mimir']}/prometheus", "loki": addresses["loki"], "tempo": addresses["tempo"],
        }  # fmt: skip

    async def query(self, datasource: str, path: str, parameters: Mapping[str, str]) -> Json:
        found: Json = await self._tab.get_json(self.bases[datasource], path, parameters)
        return found


def boards() -> list[Board]:
    found = [json.loads(file.read_text()) for file in sorted((ROOT / "dashboards").glob("*.json"))]
    return [Board(model["uid"], model) for model in found]


def length_ms(board: Board) -> int:
    """Return the range that a dashboard opens with."""
    written = board.model["time"]["from"].removeprefix("now-")
    return int(written[:-1]) * {"m": 60_000, "h": 3_600_000}[written[-1]]


async def asks(board: Board, source: Any, to_ms: int) -> list[Ask]:
    """Return every query of a dashboard as the page would send it at a moment."""
    window = Window(to_ms - length_ms(board), to_ms)
    datasources = Datasources(SOURCES)
    resolver = Resolver(source, datasources, window, {})
    await resolver.resolve(board, needed={str(each["name"]) for each in board.variables()})
    found = []
    for panel in board.panels():
        for target in targets(panel):
            try:
                query = build(panel, target, window=window, values=resolver.values, datasources=datasources)
            except AwfError:
                continue
            found.append(Ask(f"{board.uid}: {text(panel, 'title')}", query))
    return found
