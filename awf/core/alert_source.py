"""What Grafana says of its alert rules, as the watcher compares it with what webhooks told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """An instance of a rule that fires. It has no fingerprint: Grafana's rules API tells none."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    active_at: datetime
    is_silenced: bool = False


@dataclass(frozen=True, slots=True)
class RuleState:
    """A rule: whether it can be evaluated, and what fires. Without `firing`, its instances were not asked for."""

    uid: str
    name: str
    is_healthy: bool
    firing: tuple[FiringAlert, ...] | None = ()


class AlertSource(Protocol):
    """Alert rules with what fires.

    Raises `Unavailable` when Grafana does not answer, `Forbidden` when it refuses.
    """

    async def alert_rules(self) -> list[RuleState]: ...
