"""A dashboard's JSON, read with care: people edit it, and Grafana's versions differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from awf.core.types import Json
from awf.errors import NotFound


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. What is missing or of another type than expected counts as not there."""

    uid: str
    model: Json

    def panel(self, panel_id: int) -> Json:
        """Return a panel, also one inside a collapsed row. Raises NotFound."""
        for panel in self.panels():
            if panel.get("id") == panel_id:
                return panel
        raise NotFound(
            f"dashboard {self.uid!r:.80} has no panel {panel_id}", hint="Load the page again: it was edited."
        )

    def panels(self) -> Iterator[Json]:
        for panel in objects(self.model.get("panels")):
            yield panel
            yield from objects(panel.get("panels"))

    def variables(self) -> list[Json]:
        return [each for each in objects(member(self.model, "templating").get("list")) if each.get("name")]

    def annotations(self) -> list[Json]:
        return objects(member(self.model, "annotations").get("list"))


def objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def member(owner: Json, name: str) -> Json:
    found = owner.get(name)
    return found if isinstance(found, dict) else {}


def text(owner: Json, name: str) -> str:
    found = owner.get(name)
    return found if isinstance(found, str) else ""
