"""Incidents as a journal: every change is one more entry, stored before anything else happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from awf.agents.parts import WatcherParts
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incident_history import stages_of, with_status
from awf.core.incidents import Incident, IncidentStatus, TimelineEntry
from awf.core.types import IncidentId

logger = logging.getLogger(__name__)

MAX_TEXT, MAX_ENTRIES = 1000, 500


class Journal:
    """Changes incidents one at a time each, so that an alert and a stage never overwrite one another."""

    def __init__(self, parts: WatcherParts) -> None:
        self._parts = parts
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self, incident: Incident, text: str) -> Incident:
        """Store a new incident."""
        opened = incident.with_entry(self._entry("alert", text, {}))
        await self._parts.incidents.save(opened)
        self._count(opened)
        waited_ms = (opened.opened_at - opened.began_at).total_seconds() * 1000
        self._parts.counters.observe(sc.WATCHER_DETECTION_MS, waited_ms)
        return opened

    async def record(
        self,
        incident_id: IncidentId,
        kind: str,
        text: str,
        detail: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Incident:
        """Add an entry and change the given fields, on the incident as it is stored now."""
        async with self._alone(incident_id):
            before = await self._parts.incidents.get(incident_id)
            detail = with_status(detail or {}, before.status, changes.get("status", before.status))
            after = before.with_entry(self._entry(kind, text, detail), **changes)
            if len(after.timeline) > MAX_ENTRIES:  # a flapping alert must not grow an incident without end
                newest = after.timeline[-MAX_ENTRIES + 1 :]
                after = replace(after, timeline=(after.timeline[0], *newest))
            await self._parts.incidents.save(after)
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

    @asynccontextmanager
    async def _alone(self, incident_id: str) -> AsyncIterator[None]:
        lock = self._locks.get(incident_id)
        if lock is None:
            lock = self._locks[incident_id] = asyncio.Lock()
        async with lock:
            yield
