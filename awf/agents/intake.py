"""Alerts to incidents: each firing alert belongs to exactly one, new or already open.

Services that take alerts at the same time need no lock: an incident is opened only if none of another came between, and
an alert joins an incident as it is at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from awf.agents.decision import worst_severity
from awf.agents.hints import is_own_repair, target_of
from awf.agents.investigation import CONVINCING
from awf.agents.journal import Journal
from awf.agents.nearby import Nearby
from awf.agents.parts import WatcherParts
from awf.analysis.findings import is_same_place
from awf.core import semconv as sc
from awf.core.clock import isoformat
from awf.core.escape import plain_text
from awf.core.incidents import ActionOutcome, Alert, Incident, IncidentStatus, Target
from awf.core.types import IncidentId, new_id

MAX_LABELS, MAX_TEXT = 64, 1000
RECENT = 50
FORGET = timedelta(days=1)


class _Closed(Exception):
    """An incident was closed while an alert was about to join it."""


class Intake:
    """Attaches alerts to incidents."""

    def __init__(self, parts: WatcherParts, journal: Journal) -> None:
        self._parts = parts
        self._journal = journal
        self._nearby = Nearby(parts.incidents)
        self._rechecked_at: datetime | None = None

    async def take(self, alerts: Sequence[Alert]) -> list[Incident]:
        """Return the incidents that the alerts belong to now, each once."""
        if not alerts:
            return []
        found: dict[IncidentId, Incident] = {}
        await self._nearby.refresh()
        for alert in map(cleaned, alerts):
            self._parts.counters.add(sc.WATCHER_ALERTS, status=alert.status)
            incident = await self._place(alert)
            if incident is not None:
                found[incident.id] = incident
                self._nearby.note(incident)
        return list(found.values())

    async def reopen_ignored(self) -> list[Incident]:
        """Open an incident for each alert that fires long after the incident it had joined was resolved.

        It was taken for news of the same trouble. It is not, or the trouble is back: nobody else would look.
        """
        now = self._parts.clock.now()
        patience = timedelta(seconds=self._parts.config.recheck_s)
        if self._rechecked_at is not None and timedelta() <= now - self._rechecked_at < patience / 20:
            return []  # it reads many incidents, and sweeps are frequent
        self._rechecked_at = now
        found: list[Incident] = []
        await self._nearby.refresh()
        seen = self._nearby.revision
        page = await self._parts.incidents.list(status=IncidentStatus.RESOLVED.value, limit=RECENT)
        for incident in page.items:
            if incident.resolved_at is None or not patience <= now - incident.resolved_at <= FORGET:
                continue
            why = f"; incident {incident.id} did not end it"
            found += [
                await self._open(alert, seen, why)
                for alert in incident.alerts
                if alert.status == "firing"
                and not is_own_repair(alert, incident)
                and await self._is_last(incident, alert)
            ]
        return found

    async def _is_last(self, incident: Incident, alert: Alert) -> bool:
        """Whether no later incident holds the alert."""
        if await self._parts.incidents.open_for(alert.fingerprint) is not None:
            return False
        last = await self._parts.incidents.last_for(alert.fingerprint)
        return last is not None and last.id == incident.id

    async def _place(self, alert: Alert) -> Incident | None:
        while True:
            seen = self._nearby.revision  # before looking: what is learnt meanwhile was not looked at
            incident = await self._home(alert)
            if incident is None and alert.status == "resolved":
                return None  # it never reached us while it fired: there is nothing to close
            try:
                return await (self._open(alert, seen) if incident is None else self._attach(incident, alert))
            except _Closed:
                continue

    async def _home(self, alert: Alert) -> Incident | None:
        """Return the incident that an alert belongs to, as far as is known."""
        incident = await self._parts.incidents.open_for(alert.fingerprint)
        if incident is not None or alert.status == "resolved":
            return incident or await self._parts.incidents.last_for(alert.fingerprint)
        own = next((each for each in self._nearby if is_own_repair(alert, each)), None)
        return own or await self._of_the_same_place(alert)

    async def _of_the_same_place(self, alert: Alert) -> Incident | None:
        place = target_of(alert)
        if place is None:
            return None
        for candidate in self._nearby:
            if _is_about(candidate, place):
                incident = await self._parts.incidents.get(candidate.id)
                if incident.status.is_open or self._is_late(alert, incident):
                    return incident
        return None

    def _is_late(self, alert: Alert, incident: Incident) -> bool:
        """Whether an alert is late news of a trouble that is resolved, not a new one."""
        if incident.status is not IncidentStatus.RESOLVED or incident.resolved_at is None:
            return False
        # One that was known fires anew because the trouble is back; another may only be slower to show it.
        is_echo = incident.outcome is ActionOutcome.VERIFIED and not _has(incident, alert.fingerprint)
        echo = timedelta(seconds=self._parts.config.echo_s if is_echo else 0)
        return alert.starts_at <= incident.resolved_at + echo

    def _joins(self, alert: Alert, incident: Incident) -> bool:
        """Whether an alert belongs to an incident that was opened meanwhile."""
        place = target_of(alert)
        is_here = place is not None and _is_about(incident, place)
        is_held = any(
            each.fingerprint == alert.fingerprint and each.starts_at >= alert.starts_at
            for each in incident.alerts
        )
        is_about = is_here or is_own_repair(alert, incident)
        return is_held or (is_about and self._may_join(alert, incident))

    def _may_join(self, alert: Alert, incident: Incident) -> bool:
        return (
            alert.status == "resolved"
            or incident.status.is_open
            or is_own_repair(alert, incident)
            or self._is_late(alert, incident)
        )

    async def _open(self, alert: Alert, seen: int, why: str = "") -> Incident:
        incident = Incident(
            id=IncidentId(new_id("inc")),
            status=IncidentStatus.INVESTIGATING,
            severity=worst_severity([alert]),
            alerts=(alert,),
            opened_at=self._parts.clock.now(),
        )
        opened = await self._journal.open(
            incident, _words(alert) + why, seen=seen, joins=partial(self._joins, alert)
        )
        self._nearby.learn(opened.news, opened.revision)
        if opened.incident.id != incident.id:
            return await self._attach(opened.incident, alert)
        return opened.incident

    async def _attach(self, incident: Incident, alert: Alert) -> Incident:
        return await self._journal.amend(incident.id, "alert", partial(self._attached, alert))

    def _attached(self, alert: Alert, incident: Incident) -> tuple[str, Mapping[str, Any]] | None:
        """Return what an alert adds to an incident. Raises _Closed for one that it cannot join any more."""
        known = next((each for each in incident.alerts if each.fingerprint == alert.fingerprint), None)
        if known is not None and known.dedupe_key == alert.dedupe_key:
            return None  # another service took the same delivery
        if known is not None and alert.starts_at < known.starts_at:
            # Late news of an earlier time that it fired: it must not end, or restart, the present one.
            since = isoformat(alert.starts_at)
            return f"{_words(alert)} (an earlier time, since {since}: changes nothing)", {}
        if not self._may_join(alert, incident):
            raise _Closed
        others = tuple(each for each in incident.alerts if each.fingerprint != alert.fingerprint)
        alerts = (*others, alert)
        changes: dict[str, Any] = {"alerts": alerts, "severity": worst_severity(alerts)}
        is_over = all(each.status == "resolved" for each in alerts) and not incident.status.is_open
        if is_over and incident.resolved_at is None:
            changes["resolved_at"] = self._parts.clock.now()
        return _words(alert), changes


def places_of(incident: Incident) -> tuple[Target, ...]:
    """Return the places an incident is about: those its alerts name, and where its cause was seen."""
    named = tuple(target for alert in incident.alerts if (target := target_of(alert)))
    best = incident.hypotheses[0] if incident.hypotheses else None
    if best is None or best.score < CONVINCING:
        return named
    return (*named, best.target, *best.affected, *best.shows_at)


def cleaned(alert: Alert) -> Alert:
    """Return the alert with its texts on one line, without control characters, bounded in number and length."""

    def texts(found: Mapping[str, str]) -> dict[str, str]:
        items = islice(found.items(), MAX_LABELS)
        return {plain_text(key, 100): plain_text(value, MAX_TEXT) for key, value in items}

    return replace(alert, labels=texts(alert.labels), annotations=texts(alert.annotations))


def _has(incident: Incident, fingerprint: str) -> bool:
    return any(each.fingerprint == fingerprint for each in incident.alerts)


def _is_about(incident: Incident, place: Target) -> bool:
    return any(is_same_place(place, other) for other in places_of(incident))


def _words(alert: Alert) -> str:
    if alert.status != "firing":  # its summary still tells of the trouble that is over
        return f"{alert.name} has resolved"
    summary = alert.annotations.get("summary", "")
    return f"{alert.name} is firing" + (f": {summary}" if summary else "")
