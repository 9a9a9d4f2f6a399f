"""Alerts to incidents: each firing alert belongs to exactly one, new or already open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from awf.agents.hints import is_own_repair
from awf.agents.journal import Journal
from awf.agents.nearby import Nearby
from awf.agents.parts import WatcherParts
from awf.agents.placing import Placing
from awf.agents.turns import Turns
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incidents import Alert, Incident, IncidentStatus
from awf.core.ports import Delivery, Desk, Saved
from awf.core.types import IncidentId

T = TypeVar("T")

MAX_LABELS, MAX_TEXT = 64, 1000
RECENT = 50
FORGET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """The alerts of a delivery that were new, and the incidents that they belong to now, each once."""

    fresh: Sequence[Alert]
    incidents: Sequence[IncidentId]


class Intake:
    """Attaches alerts to incidents. A delivery and what it leads to are stored together, or not at all."""

    def __init__(self, parts: WatcherParts, journal: Journal) -> None:
        self._parts = parts
        self._journal = journal
        self._nearby = Nearby()
        self._turns = Turns(self._take_all)
        self._rechecked_at: datetime | None = None

    async def take(self, delivery: Delivery) -> Taken:
        """Store a delivery and place its alerts. Raises Unavailable: then the sender has to try again."""
        return await self._turns.ask(delivery)

    async def open_incidents(self) -> list[Incident]:
        """Return every open incident, oldest first."""
        await self._nearby.load(self._parts.incidents)
        return self._nearby.open_ones()

    async def reopen_ignored(self) -> None:
        """Open an incident for each alert that fires long after the incident it had joined was resolved.

        It was taken for news of the same trouble. It is not, or the trouble is back: nobody else would look.
        """
        now = self._parts.clock.now()
        patience = timedelta(seconds=self._parts.config.recheck_s)
        if self._rechecked_at is not None and timedelta() <= now - self._rechecked_at < patience / 20:
            return  # it reads many incidents, and sweeps are frequent
        self._rechecked_at = now
        page = await self._parts.incidents.list(status=IncidentStatus.RESOLVED.value, limit=RECENT)
        ignored = [
            (incident, alert)
            for incident in page.items
            if incident.resolved_at is not None and patience <= now - incident.resolved_at <= FORGET
            for alert in incident.alerts
            if alert.status == "firing" and not is_own_repair(alert, incident)
        ]

        def work(_: Desk, placing: Placing) -> None:
            for incident, alert in ignored:
                placing.place_again(incident, alert, f"; incident {incident.id} did not end it")

        if ignored:
            await self._place(work)

    async def _take_all(self, deliveries: Sequence[Delivery]) -> list[Taken]:
        def work(desk: Desk, placing: Placing) -> list[Taken]:
            return [_taken(fresh, placing) for fresh in desk.receive(deliveries)]

        taken = await self._place(work)
        for alert in (alert for each in taken for alert in each.fresh):
            self._parts.counters.add(sc.WATCHER_ALERTS, status=alert.status)
        return taken

    async def _place(self, work: Callable[[Desk, Placing], T]) -> T:
        await self._nearby.load(self._parts.incidents)

        def unit(desk: Desk) -> tuple[T, Placing, list[Saved]]:
            news = desk.saved_since(self._nearby.revision)
            nearby = self._nearby.copy()
            nearby.learn(news)
            placing = Placing(desk, nearby, self._parts, self._journal)
            result = work(desk, placing)
            return result, placing, [*news, *placing.save()]

        result, placing, saved = await self._parts.incidents.at_desk(unit)
        self._nearby.learn(saved)
        for incident in placing.opened:
            self._journal.count_opened(incident)
        for changed in placing.changed:
            self._journal.count(changed)
        return result


def cleaned(alert: Alert) -> Alert:
    """Return the alert with its texts on one line, without control characters, bounded in number and length."""

    def texts(found: Mapping[str, str]) -> dict[str, str]:
        items = islice(found.items(), MAX_LABELS)
        return {plain_text(key, 100): plain_text(value, MAX_TEXT) for key, value in items}

    return replace(alert, labels=texts(alert.labels), annotations=texts(alert.annotations))


def _taken(fresh: Sequence[Alert], placing: Placing) -> Taken:
    placed = (placing.place(alert) for alert in map(cleaned, fresh))
    return Taken(fresh, list(dict.fromkeys(incident.id for incident in placed if incident is not None)))
