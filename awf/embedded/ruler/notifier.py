"""Groups alerts by name and decides when each group is due, as Alertmanager does; delivery is a callable.

First notification after `group_wait`, then one look every `group_interval`: news (an alert that fires, one
that resolved) is sent, and what still fires is repeated every `repeat_interval`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from awf.core import semconv
from awf.core.counters import Counters
from awf.embedded.ruler.alerts import RESOLVED_RETENTION_MS, AlertInstance, AlertState
from awf.embedded.ruler.grafana_terms import GROUP_BY
from awf.embedded.ruler.payload import Notified, public_labels
from awf.embedded.ruler.silences import Silences

logger = logging.getLogger(__name__)

UNREACHABLE_RETRY_MS: Final = 10_000


class Delivery(StrEnum):
    DELIVERED = "delivered"
    REFUSED = "refused"  # it answered, but not 2xx, or not in time
    UNREACHABLE = "unreachable"  # nobody listens


Deliver = Callable[[list[Notified]], Awaitable[Delivery]]


@dataclass(frozen=True, slots=True)
class NotifyTimes:
    """Alertmanager's three intervals, in milliseconds."""

    group_wait_ms: int
    group_interval_ms: int
    repeat_interval_ms: int


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts of one name, when they are looked at next, and what the receiver knows (fingerprints)."""

    alerts: Mapping[str, Notified]
    next_flush_ms: int
    sent_firing: tuple[str, ...] = ()
    sent_resolved: tuple[str, ...] = ()
    sent_at_ms: int | None = None


class Notifier:
    """Holds the groups. `update` takes the alerts of one rule, `flush_due` sends what is due."""

    def __init__(
        self,
        times: NotifyTimes,
        deliver: Deliver,
        silences: Silences,
        counters: Counters,
        *,
        groups: Mapping[str, AlertGroup] | None = None,
    ) -> None:
        self._times = times
        self._deliver = deliver
        self._silences = silences
        self._counters = counters
        self._groups: dict[str, AlertGroup] = dict(groups or {})
        self.changed = asyncio.Event()

    @property
    def groups(self) -> Mapping[str, AlertGroup]:
        """The groups as they are now, to be saved."""
        return self._groups

    @property
    def next_due_ms(self) -> int | None:
        """When the next group is due; None when there is none."""
        return min((group.next_flush_ms for group in self._groups.values()), default=None)

    def rule_uids(self) -> set[str]:
        """Return the rules that alerts in the groups belong to."""
        return {alert.rule_uid for group in self._groups.values() for alert in group.alerts.values()}

    def update(self, rule_uid: str, instances: Iterable[AlertInstance], at_ms: int) -> None:
        """Take the alerts of one rule. One that was there and is not any more has resolved."""
        found: dict[str, dict[str, Notified]] = {name: {} for name in self._groups}
        for instance in instances:
            if instance.fired_at_ms is not None:
                alerts = found.setdefault(instance.labels[GROUP_BY], {})
                alerts[instance.fingerprint] = Notified(rule_uid, instance)
        for name, alerts in found.items():
            self._merge(name, rule_uid, alerts, at_ms)

    def _merge(self, name: str, rule_uid: str, found: Mapping[str, Notified], at_ms: int) -> None:
        group = self._groups.get(name)
        known = group.alerts if group else {}
        alerts = dict(known)
        for fingerprint, alert in known.items():
            if alert.rule_uid == rule_uid and fingerprint not in found and not alert.is_resolved:
                ended = replace(alert.instance, state=AlertState.INACTIVE, resolved_at_ms=at_ms)
                alerts[fingerprint] = Notified(rule_uid, ended)
        # A resolved one that is not known was told already, or was over before anybody could be told.
        alerts |= {
            fingerprint: alert
            for fingerprint, alert in found.items()
            if fingerprint in known or not alert.is_resolved
        }
        if group is None and alerts:
            # An alert that fires since long (the ruler was away) has waited enough.
            began = min(alert.instance.fired_at_ms or at_ms for alert in alerts.values())
            group = AlertGroup({}, max(at_ms, began + self._times.group_wait_ms))
            self.changed.set()
        if group is not None:
            self._groups[name] = replace(group, alerts=alerts)

    async def flush_due(self, now_ms: int) -> bool:
        """Look at every group that is due, at once; return whether there was one."""
        # Due further away than any wait: the clock was set back, and would keep everybody waiting.
        longest = max(self._times.group_wait_ms, self._times.group_interval_ms)
        due = [
            name for name, group in self._groups.items() if not 0 < group.next_flush_ms - now_ms <= longest
        ]
        await asyncio.gather(*(self._flush(name, now_ms) for name in due))
        return bool(due)

    async def _flush(self, name: str, now_ms: int) -> None:
        group = self._groups[name]
        alerts = [
            alert
            for alert in group.alerts.values()
            if not self._silences.silenced_by(public_labels(alert.instance))
        ]
        outcome = Delivery.DELIVERED
        news = self._is_news(group, alerts, now_ms)
        if news:
            outcome = await self._try(alerts)
            self._counters.add(semconv.RULER_NOTIFICATIONS, outcome=outcome.value)
        group = self._groups[name]  # evaluations went on while the receiver was thinking
        if outcome is Delivery.DELIVERED:
            group = _after_delivery(group, alerts, now_ms if news else None)
        # Grafana waits for the next group_interval after any failure. A receiver that is not there at all
        # (it starts or restarts) is tried again sooner, or a first alert would lie for a minute.
        wait = self._times.group_interval_ms
        if outcome is Delivery.UNREACHABLE:
            wait = min(wait, UNREACHABLE_RETRY_MS)
        group = replace(_pruned(group, now_ms), next_flush_ms=now_ms + wait)
        if group.alerts:
            self._groups[name] = group
        else:
            del self._groups[name]

    async def _try(self, alerts: list[Notified]) -> Delivery:
        try:
            return await self._deliver(alerts)
        except Exception:  # the boundary of one delivery: the other groups go out
            logger.exception("alert notification failed", extra={"alerts": len(alerts)})
            return Delivery.REFUSED

    def _is_news(self, group: AlertGroup, alerts: list[Notified], now_ms: int) -> bool:
        firing = {alert.instance.fingerprint for alert in alerts if not alert.is_resolved}
        resolved = {alert.instance.fingerprint for alert in alerts if alert.is_resolved}
        if not alerts or (not firing and not group.sent_firing):
            return False
        if group.sent_at_ms is None or not firing <= set(group.sent_firing):
            return True
        if not resolved <= set(group.sent_resolved):
            return True
        return bool(firing) and now_ms - group.sent_at_ms >= self._times.repeat_interval_ms


def _after_delivery(group: AlertGroup, told: list[Notified], sent_at_ms: int | None) -> AlertGroup:
    """Drop what is over and told; remember what the receiver knows when something was sent."""
    over = {alert.instance.fingerprint: alert for alert in told if alert.is_resolved}
    kept = {key: alert for key, alert in group.alerts.items() if over.get(key) != alert}
    group = replace(group, alerts=kept)
    if sent_at_ms is None:
        return group
    firing = tuple(alert.instance.fingerprint for alert in told if not alert.is_resolved)
    return replace(group, sent_firing=firing, sent_resolved=tuple(over), sent_at_ms=sent_at_ms)


def _pruned(group: AlertGroup, now_ms: int) -> AlertGroup:
    """Forget alerts that ended long ago and that the receiver has never heard of (it was away)."""
    kept = {
        key: alert
        for key, alert in group.alerts.items()
        if not alert.is_resolved
        or key in group.sent_firing
        or now_ms - (alert.instance.resolved_at_ms or 0) <= RESOLVED_RETENTION_MS
    }
    return replace(group, alerts=kept)
