"""The life of alert instances, as in Prometheus: inactive, pending, firing, resolved.

Pure: the state before, what the query returned and the time give the state after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from awf.embedded.ruler.labels import LabelKey, fingerprint, label_key
from awf.embedded.ruler.rules import AlertRule
from awf.errors import QueryError

RESOLVED_RETENTION_MS: Final = 15 * 60 * 1000

Vector = Sequence[tuple[Mapping[str, str], float]]
"""The result of a rule's expression: (labels, value)."""


class AlertState(StrEnum):
    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class AlertInstance:
    """One alert of one label set. `fired_at_ms` is its startsAt and stays while it fires; an inactive
    instance is one that fired and resolved."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float
    state: AlertState
    active_at_ms: int
    fired_at_ms: int | None = None
    resolved_at_ms: int | None = None
    keep_firing_since_ms: int | None = None

    @property
    def is_active(self) -> bool:
        return self.state is not AlertState.INACTIVE


Active = Mapping[LabelKey, AlertInstance]


def observe(rule: AlertRule, vector: Vector, at_ms: int) -> dict[LabelKey, AlertInstance]:
    """Turn a query's result into instances. Raises QueryError when two get the same labels."""
    found: dict[LabelKey, AlertInstance] = {}
    for series, value in vector:
        labels = {name: text for name, text in series.items() if name != "__name__"}
        labels |= {name: template.render(series, value) for name, template in rule.labels.items()}
        labels["alertname"] = rule.name
        labels = {name: text for name, text in labels.items() if text}
        key = label_key(labels)
        if key in found:
            raise QueryError(f"two series of alert {rule.name!r} have the same labels: {labels}")
        annotations = {name: template.render(series, value) for name, template in rule.annotations.items()}
        found[key] = AlertInstance("", labels, annotations, value, AlertState.PENDING, at_ms)
    return found


def advance(rule: AlertRule, before: Active, vector: Vector, at_ms: int) -> dict[LabelKey, AlertInstance]:
    """Return the instances after one evaluation. Raises QueryError, and then nothing has changed."""
    observed = observe(rule, vector, at_ms)
    after: dict[LabelKey, AlertInstance] = {}
    for key, instance in observed.items():
        known = before.get(key)
        if known is None or not known.is_active:
            known = replace(instance, fingerprint=fingerprint(instance.labels))
        after[key] = _seen(rule, known, instance, at_ms)
    for key, instance in before.items():
        if key not in observed and (gone := _unseen(rule, instance, at_ms)) is not None:
            after[key] = gone
    return after


def _seen(rule: AlertRule, known: AlertInstance, now: AlertInstance, at_ms: int) -> AlertInstance:
    known = replace(known, value=now.value, annotations=now.annotations, keep_firing_since_ms=None)
    if known.state is AlertState.PENDING and at_ms - known.active_at_ms >= rule.for_ms:
        return replace(known, state=AlertState.FIRING, fired_at_ms=at_ms)
    return known


def _unseen(rule: AlertRule, known: AlertInstance, at_ms: int) -> AlertInstance | None:
    if known.state is AlertState.PENDING:
        return None
    if known.state is AlertState.FIRING:
        since = at_ms if known.keep_firing_since_ms is None else known.keep_firing_since_ms
        if at_ms - since < rule.keep_firing_for_ms:
            return replace(known, keep_firing_since_ms=since)
        return replace(known, state=AlertState.INACTIVE, resolved_at_ms=at_ms, keep_firing_since_ms=None)
    expired = at_ms - (known.resolved_at_ms or 0) > RESOLVED_RETENTION_MS
    return None if expired else known


def restored(
    rule: AlertRule, saved: Sequence[AlertInstance], downtime_ms: int
) -> dict[LabelKey, AlertInstance]:
    """Return saved instances as they count after a restart: the time in which nobody looked is not part
    of `for`; an alert that fired still fires, with the same start."""
    instances = {}
    for instance in saved:
        shift = downtime_ms if instance.state is AlertState.PENDING and rule.for_ms else 0
        instances[label_key(instance.labels)] = replace(instance, active_at_ms=instance.active_at_ms + shift)
    return instances
