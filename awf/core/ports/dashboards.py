"""Grafana, as the dashboard pages see it: reading only, with the server's own token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from awf.core.types import Json


@dataclass(frozen=True, slots=True)
class Datasource:
    """A datasource that Grafana has; `interval` is the scrape interval it was told, empty when none."""

    uid: str
    name: str
    type: str
    is_default: bool = False
    interval: str = ""


class DashboardSource(Protocol):
    """Dashboards, and the way to their datasources.

    Every method raises `Unavailable` when Grafana does not answer in time or refuses the server's token,
    and `TooLarge` when an answer is larger than a page should carry.
    """

    async def dashboards(self) -> list[Json]:
        """Return what there is: `uid`, `title`, `tags` and `folderTitle` of each."""
        ...

    async def dashboard(self, uid: str) -> Json:
        """Return a dashboard's JSON. Raises NotFound."""
        ...

    async def datasources(self) -> list[Datasource]: ...

    async def query(self, datasource: str, path: str, parameters: Mapping[str, str]) -> Json:
        """Ask a datasource's own HTTP API. Raises QueryError with its words when it refuses the query."""
        ...

    async def annotations(self, parameters: Sequence[tuple[str, str]]) -> list[Json]:
        """Return annotations by the parameters of Grafana's `/api/annotations`."""
        ...
