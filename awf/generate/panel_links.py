"""Which panel shows what an alert is about: found by its title, so that a link breaks at generation and not at night."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from awf.errors import ConfigError
from awf.generate.spec import AlertRule, PanelLink


@dataclass(frozen=True, slots=True)
class Panels:
    """The panels of the rendered dashboards: (uid, title) -> id."""

    ids: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, dashboards: Mapping[str, str]) -> Panels:
        """Read rendered dashboards, file name -> JSON."""
        boards = [json.loads(text) for text in dashboards.values()]
        return cls(
            {
                (board["uid"], panel["title"]): panel["id"]
                for board in boards
                for panel in board["panels"]
                if panel["type"] != "row"
            }
        )

    def id_of(self, link: PanelLink, rule: AlertRule) -> int:
        """Return a panel's id. Raises ConfigError when the dashboards have no such panel."""
        found = self.ids.get((link.dashboard, link.panel))
        if found is None:
            titles = ", ".join(title for uid, title in self.ids if uid == link.dashboard)
            raise ConfigError(
                f"alert {rule.alert}: dashboard {link.dashboard} has no panel {link.panel!r}",
                hint=f"Its panels are: {titles}." if titles else "There is no dashboard with that uid.",
            )
        return found
