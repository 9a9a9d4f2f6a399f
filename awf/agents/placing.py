"""Which incident an alert belongs to: decided in one unit of work, so that nobody else's incident comes between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from awf.agents.decision import worst_severity
from awf.agents.hints import is_own_repair, target_of
from awf.agents.journal import Journal
from awf.agents.nearby import Nearby
from awf.agents.parts import WatcherParts
from awf.core.clock import isoformat
from awf.core.incidents import ActionOutcome, Alert, Incident, IncidentStatus
from awf.core.ports import Changed, Desk, Saved
from awf.core.types import IncidentId, new_id


class Placing:
    """Opens and changes incidents for alerts. Nothing is stored before `save`; it may be thrown away and begun anew."""

    def __init__(self, desk: Desk, nearby: Nearby, parts: WatcherParts, journal: Journal) -> None:
        self._desk = desk
        self._nearby = nearby
        self._clock = parts.clock
        self._echo = timedelta(seconds=parts.config.echo_s)
        self._journal = journal
        self._drafts: dict[IncidentId, Incident] = {}
        self.opened: list[Incident] = []
        self.changed: list[Changed] = []

    def place(self, alert: Alert) -> Incident | None:
        """Return the incident of an alert, with it. None for the end of one that never reached us while it fired."""
        incident = self._home(alert)
        if incident is None:
            return None if alert.status == "resolved" else self._open(alert, "")
        return self._attach(incident, alert)

    def place_again(self, incident: Incident, alert: Alert, why: str) -> Incident | None:
        """Open an incident for an alert that still fires though its last one is closed; None if it has a later one."""
        last = self._last_for(alert.fingerprint)
        if self._nearby.holding(alert.fingerprint) or last is None or last.id != incident.id:
            return None
        home = next((each for each in self._about(alert) if each.status.is_open), None)
        return self._attach(home, alert) if home else self._open(alert, why)

    def save(self) -> list[Saved]:
        """Store what was made, each incident once."""
        return self._desk.save(list(self._drafts.values()))

    def _home(self, alert: Alert) -> Incident | None:
        incident = self._nearby.holding(alert.fingerprint)
        if incident is not None or alert.status == "resolved":
            return incident or self._last_for(alert.fingerprint)
        own = (each.incident for each in self._nearby if is_own_repair(alert, each.incident))
        return next(own, None) or next(
            (each for each in self._about(alert) if each.status.is_open or self._is_late(alert, each)), None
        )

    def _last_for(self, fingerprint: str) -> Incident | None:
        found = self._desk.last_for(fingerprint)
        return found and self._drafts.get(found.id, found)

    def _about(self, alert: Alert) -> Sequence[Incident]:
        place = target_of(alert)
        return [] if place is None else [each.incident for each in self._nearby if each.is_about(place)]

    def _is_late(self, alert: Alert, incident: Incident) -> bool:
        """Whether an alert is late news of a trouble that is resolved, not a new one."""
        if incident.status is not IncidentStatus.RESOLVED or incident.resolved_at is None:
            return False
        # One that was known fires anew because the trouble is back; another may only be slower to show it.
        is_known = any(each.fingerprint == alert.fingerprint for each in incident.alerts)
        is_echo = incident.outcome is ActionOutcome.VERIFIED and not is_known
        return alert.starts_at <= incident.resolved_at + (self._echo if is_echo else timedelta())

    def _open(self, alert: Alert, why: str) -> Incident:
        incident = Incident(
            id=IncidentId(new_id("inc")),
            status=IncidentStatus.INVESTIGATING,
            severity=worst_severity([alert]),
            alerts=(alert,),
            opened_at=self._clock.now(),
        )
        incident = self._journal.entered(incident, "alert", _words(alert) + why)
        self.opened.append(incident)
        return self._draft(incident)

    def _attach(self, incident: Incident, alert: Alert) -> Incident:
        text, changes = self._joined(incident, alert)
        changed = Changed(incident, self._journal.entered(incident, "alert", text, **changes))
        self.changed.append(changed)
        return self._draft(changed.after)

    def _joined(self, incident: Incident, alert: Alert) -> tuple[str, Mapping[str, Any]]:
        known = next((each for each in incident.alerts if each.fingerprint == alert.fingerprint), None)
        if known is not None and alert.starts_at < known.starts_at:
            # Late news of an earlier time that it fired: it must not end, or restart, the present one.
            since = isoformat(alert.starts_at)
            return f"{_words(alert)} (an earlier time, since {since}: changes nothing)", {}
        alerts = (*(each for each in incident.alerts if each is not known), alert)
        changes: dict[str, Any] = {"alerts": alerts, "severity": worst_severity(alerts)}
        is_over = all(each.status == "resolved" for each in alerts) and not incident.status.is_open
        if is_over and incident.resolved_at is None:
            changes["resolved_at"] = self._clock.now()
        return _words(alert), changes

    def _draft(self, incident: Incident) -> Incident:
        self._drafts[incident.id] = incident
        self._nearby.note(incident)
        return incident


def _words(alert: Alert) -> str:
    if alert.status != "firing":  # its summary still tells of the trouble that is over
        return f"{alert.name} has resolved"
    summary = alert.annotations.get("summary", "")
    return f"{alert.name} is firing" + (f": {summary}" if summary else "")
