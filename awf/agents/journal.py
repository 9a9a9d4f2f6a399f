"""Incidents as a journal: every change is one more entry, stored before anything else happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from awf.agents.parts import WatcherParts
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incident_history import stages_of, with_status
from awf.core.incidents import Incident, IncidentStatus, TimelineEntry
from awf.core.leases import Lease
from awf.core.ports import Changed
from awf.core.types import IncidentId
from awf.errors import LeaseLost

logger = logging.getLogger(__name__)

MAX_TEXT, MAX_ENTRIES = 1000, 500


class Journal:
    """Changes incidents, each change on what is stored at that moment: an alert and a stage, here or in another
    service, never overwrite one another. Only the holder of an incident's lease carries it on."""

    def __init__(self, parts: WatcherParts) -> None:
        self._parts = parts
        self._held: dict[IncidentId, Lease] = {}

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Carry an incident on under this lease."""
        self._held[lease.incident_id] = lease
        try:
            yield
        finally:
            del self._held[lease.incident_id]

    def lease(self, incident_id: IncidentId) -> Lease:
        """Return the lease under which an incident is carried on here. Raises LeaseLost."""
        if incident_id not in self._held:
            raise LeaseLost(f"incident {incident_id} is not carried on here")
        return self._held[incident_id]

    def entered(self, incident: Incident, kind: str, text: str, **changes: Any) -> Incident:
        """Return an incident with one more entry and the given changes, stored nowhere yet."""
        return _with_entry(incident, self._entry(kind, text, {}), changes)

    async def record(
        self,
        incident_id: IncidentId,
        kind: str,
        text: str,
        detail: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Incident:
        """Carry an incident on: add an entry and change the given fields. Raises LeaseLost."""
        entry = self._entry(kind, text, detail or {})
        lease = self.lease(incident_id)
        changed = await self._parts.incidents.change(
            incident_id, lambda before: _with_entry(before, entry, changes), lease=lease
        )
        return self.count(changed)

    async def choose(
        self,
        incident_id: IncidentId,
        text: str,
        detail: Mapping[str, Any],
        *,
        unless: Callable[[Incident], bool],
        **changes: Any,
    ) -> Changed:
        """Record a decision, unless an incident that has made its own already satisfies `unless`. Raises LeaseLost."""
        entry = self._entry("decision", text, detail)
        return await self._parts.incidents.change(
            incident_id,
            lambda before: _with_entry(before, entry, changes),
            lease=self.lease(incident_id),
            unless=unless,
        )

    async def note(self, incident_id: IncidentId, kind: str, text: str) -> Incident:
        """Add an entry and change nothing else: that needs no lease, whoever carries the incident on."""
        return self.count(
            await self._parts.incidents.change(incident_id, lambda before: self.entered(before, kind, text))
        )

    def count_opened(self, incident: Incident) -> None:
        """Count an incident that was stored for the first time, and how long its alert took to get here."""
        self._count(incident)
        waited_ms = (incident.opened_at - incident.began_at).total_seconds() * 1000
        self._parts.counters.observe(sc.WATCHER_DETECTION_MS, waited_ms)

    def count(self, changed: Changed) -> Incident:
        """Count a change that was stored, and return what came of it."""
        before, after = changed.before, changed.after
        if before.status is not after.status:
            self._count(after)
            ended = stages_of(after)[-1 - after.status.is_open]
            self._parts.counters.observe(sc.WATCHER_STAGE_MS, ended.duration_ms, stage=ended.status)
        if before.resolved_at is None and after.resolved_at is not None:
            self._time_recovery(after)
        return after

    def _entry(self, kind: str, text: str, detail: Mapping[str, Any]) -> TimelineEntry:
        return TimelineEntry(self._parts.clock.now(), kind, plain_text(text, MAX_TEXT), detail)

    def _count(self, incident: Incident) -> None:
        status: IncidentStatus = incident.status
        self._parts.counters.add(sc.WATCHER_INCIDENTS, status=status.value)
        logger.info("incident", extra={"incident_id": incident.id, "status": status.value})

    def _time_recovery(self, incident: Incident) -> None:
        """Time an incident from the first alert's start until its end was seen. A false alarm was no trouble."""
        if incident.status is IncidentStatus.FALSE_ALARM or incident.resolved_at is None:
            return
        took_ms = (incident.resolved_at - incident.began_at).total_seconds() * 1000
        self._parts.counters.observe(sc.WATCHER_RECOVERY_MS, took_ms, status=incident.status.value)


def _with_entry(before: Incident, entry: TimelineEntry, changes: Mapping[str, Any]) -> Incident:
    detail = with_status(entry.detail, before.status, changes.get("status", before.status))
    after = before.with_entry(replace(entry, detail=detail), **changes)
    if len(after.timeline) <= MAX_ENTRIES:
        return after
    newest = after.timeline[-MAX_ENTRIES + 1 :]  # a flapping alert must not grow an incident without end
    return replace(after, timeline=(after.timeline[0], *newest))
