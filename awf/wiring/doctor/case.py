"""What the checks of one examination share: settings, the way to Grafana, and what earlier checks learned."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from awf.core.types import Json
from awf.settings import Settings
from awf.wiring.doctor.grafana import Grafana

METRICS, LOGS, TRACES = "metrics", "logs", "traces"
STORES = (METRICS, LOGS, TRACES)


@dataclass(frozen=True, slots=True)
class Trial:
    """The execution that was sent, and by what it is known in the stores. `lost` says why a signal was not
    delivered. `sent` is a moment of `time.monotonic()`."""

    execution_id: str
    trace_id: str
    began: datetime
    sent: float
    lost: Mapping[str, str]


@dataclass(slots=True)
class Case:
    """One examination. `tell` shows progress; what checks learn for others is kept here, by the later names."""

    settings: Settings
    environ: Mapping[str, str]
    grafana: Grafana
    timeout_s: float = 60.0
    tell: Callable[[str], None] = lambda text: None
    began: float = field(default_factory=time.monotonic)
    answering: set[str] = field(default_factory=set)  # stores that answer queries through Grafana
    addresses: dict[str, str] = field(default_factory=dict)  # of the stores, as Grafana knows them
    reachable: set[str] = field(default_factory=set)  # signals whose OTLP endpoint takes requests
    trial: Trial | None = None
    boards: dict[str, Json] = field(default_factory=dict)  # as Grafana has them, by uid
    versions: dict[str, str] = field(default_factory=dict)  # program -> version

    def uid(self, store: str) -> str:
        """Return the uid of a store's datasource."""
        uids = {
            METRICS: self.settings.datasource_metrics,
            LOGS: self.settings.datasource_logs,
            TRACES: self.settings.datasource_traces,
        }
        return uids[store]

    def direct(self, store: str) -> list[str]:
        """Return where a store may answer without Grafana: on this machine, and where Grafana asks it."""
        settings = self.settings
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
        here = {
            METRICS: f"http://{host}:{settings.mimir_port}/prometheus",
            LOGS: f"http://{host}:{settings.loki_port}",
            TRACES: f"http://{host}:{settings.tempo_port}",
        }
        there = self.addresses.get(store, "")
        return [here[store], *([there.rstrip("/")] if there.startswith(("http://", "https://")) else [])]
