"""Telemetry, as the watcher sees it: always through Grafana's MCP server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from awf.core.types import Json


@dataclass(frozen=True, slots=True)
class Sample:
    """One series' value at one instant."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One series over a range: (unix seconds, value) pairs in time order."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record."""

    at: datetime
    line: str
    labels: Mapping[str, str]


class Telemetry(Protocol):
    """Read access to metrics, logs and traces.

    Every method raises `Unavailable` when the backend does not answer in time and `QueryError` when
    it refuses the query. Nothing found is an empty result, never an error.
    """

    async def instant(self, expr: str, *, at: datetime) -> list[Sample]: ...

    async def range(self, expr: str, *, start: datetime, end: datetime, step_s: int) -> list[Series]: ...

    async def logs(
        self, logql: str, *, start: datetime, end: datetime, limit: int = 100
    ) -> list[LogLine]: ...

    async def traces(self, traceql: str, *, start: datetime, end: datetime) -> list[Json]:
        """Return Tempo's trace summaries (`traceID`, `rootServiceName`, `durationMs`, `spanSets`...)."""
        ...

    async def trace(self, trace_id: str) -> Json:
        """Return one trace as Tempo's v2 JSON."""
        ...

    async def annotations(
        self, *, start: datetime, end: datetime, tags: Sequence[str] = ()
    ) -> list[Json]: ...

    async def annotate(
        self, text: str, *, tags: Sequence[str], at: datetime, end: datetime | None = None
    ) -> str:
        """Write an annotation and return its id."""
        ...

    def link(self, signal: str, query: str, *, start: datetime, end: datetime) -> str:
        """Return the address at which Grafana shows a query of metrics, logs or traces; empty where it cannot."""
        ...
