"""The generated dashboards taken apart: panels, their queries, and what Grafana would put in for variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from awf.generate.output import render_dashboards

DATASOURCES = {"${datasource}": "prometheus", "${logs}": "loki", "${traces}": "tempo"}
# What Grafana knows beside a dashboard's own variables.
BUILT_IN = frozenset(
    {"__rate_interval", "__range", "__interval", "__from", "__to", "__url_time_range", "__all_variables",
     "__field", "__value", "__all"}
)  # fmt: skip
TIMES = {"__rate_interval": "1m", "__range": "30m", "__interval": "15s"}
VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")


@dataclass(frozen=True)
class Query:
    """One query of a panel, as it is written and as it is asked with every variable at All."""

    board: str
    panel: Mapping[str, Any]
    target: Mapping[str, Any]
    asked: str

    @property
    def where(self) -> str:
        return f"{self.board}: {self.panel['title']} ({self.target['refId']})"

    @property
    def kind(self) -> str:
        return str(self.target["datasource"]["type"])


@cache
def boards() -> dict[str, dict[str, Any]]:
    """Return uid -> dashboard."""
    return {name.removesuffix(".json"): json.loads(text) for name, text in render_dashboards().items()}


def panels(*, rows: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (uid, panel), rows only where asked for."""
    for uid, board in boards().items():
        for panel in board["panels"]:
            if rows or panel["type"] != "row":
                yield uid, panel


def queries(*kinds: str) -> list[Query]:
    """Return all queries, of these kinds of datasource."""
    found = []
    for uid, panel in panels():
        for target in panel["targets"]:
            text = target["query" if target["datasource"]["type"] == "tempo" else "expr"]
            found.append(Query(uid, panel, target, substituted(text, uid)))
    return [query for query in found if not kinds or query.kind in kinds]


def substituted(text: str, uid: str, chosen: Mapping[str, str] | None = None) -> str:
    """Return a query as Grafana would ask it: with `chosen` values, else with every variable at All."""
    variables = {each["name"]: each for each in boards()[uid]["templating"]["list"]}
    values = {name: each["allValue"] for name, each in variables.items() if each.get("allValue")}
    values |= TIMES | dict(chosen or {})
    return VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


def named(value: Any) -> set[str]:
    """Return the names of all variables in a piece of JSON."""
    return {found[1] or found[2] for found in VARIABLE.finditer(json.dumps(value))}


def links_of(panel: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a panel's links: its own, those of its series, and those of a table's cells."""
    found = [*panel.get("links", []), *panel["fieldConfig"]["defaults"].get("links", [])]
    for override in panel["fieldConfig"]["overrides"]:
        found += [link for each in override["properties"] if each["id"] == "links" for link in each["value"]]
    return found
