"""What a file in `rules/` or `dashboards/` exposes as `SPEC`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A series computed from others; named level:metric:operations, as Prometheus advises."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PanelLink:
    """The panel that shows what an alert is about: a dashboard's uid and the panel's title."""

    dashboard: str
    panel: str


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert. `summary` and `description` may use `{{ $labels.x }}` and `{{ $value | humanize }}`;
    `action` names a remediation that the watcher may consider, never one it must take; `component` says that
    the alert is about a part of AWF rather than about workflows; `shown_by` is where to look. With `on_error`
    "Alerting" the alert also fires in Grafana when its query cannot be answered at all."""

    alert: str
    expr: str
    hold: str  # `for`
    severity: Literal["info", "warning", "critical"]
    summary: str
    description: str
    keep_firing_for: str = ""
    action: str = ""
    component: str = ""
    shown_by: PanelLink | None = None
    on_error: Literal["KeepLast", "Alerting"] = "KeepLast"


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """One group, one file: `rules/recording/NAME.yaml` or `rules/alerts/NAME.yaml`."""

    name: str
    interval: str
    recording: tuple[RecordingRule, ...] = ()
    alerts: tuple[AlertRule, ...] = ()
    is_of_slos: bool = False  # made of data, not of a module of this name

    @property
    def folder(self) -> str:
        return "alerts" if self.alerts else "recording"


@dataclass(frozen=True, slots=True)
class DashboardSpec:
    """One dashboard: `dashboards/NAME.json` (underscores as dashes)."""

    name: str
    title: str
    build: Callable[[], Mapping[str, Any]]
    tags: tuple[str, ...] = field(default=("awf",))

    @property
    def uid(self) -> str:
        return self.name.replace("_", "-")
