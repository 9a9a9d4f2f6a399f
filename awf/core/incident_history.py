"""How long an incident was in which status, read from its timeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from awf.core.incidents import Incident, IncidentStatus, TimelineEntry

STATUS: Final = "status"
"""The key in an entry's detail that names the status which began with it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A time that an incident was in one status; `end` is None for the present one of an open incident."""

    status: str
    start: datetime
    end: datetime | None

    @property
    def duration_ms(self) -> float:
        return (self.end - self.start).total_seconds() * 1000 if self.end else 0.0


def with_status(
    detail: Mapping[str, Any], before: IncidentStatus, after: IncidentStatus
) -> Mapping[str, Any]:
    """Return an entry's detail with the status that begins with it, if one does."""
    return detail if before is after else {**detail, STATUS: after.value}


def stages_of(incident: Incident) -> list[Stage]:
    """Return the open statuses an incident was in, in order. It begins with `investigating`."""
    begun: list[tuple[str, datetime]] = [(IncidentStatus.INVESTIGATING.value, incident.opened_at)]
    begun += [(str(entry.detail[STATUS]), entry.at) for entry in incident.timeline if STATUS in entry.detail]
    ends: list[datetime | None] = [at for _, at in begun[1:]]
    return [
        Stage(status, at, end)
        for (status, at), end in zip(begun, [*ends, None], strict=True)
        if status in _OPEN
    ]


def closing_of(incident: Incident) -> TimelineEntry | None:
    """Return the entry with which a closed incident was closed."""
    if incident.status.is_open:
        return None
    said = [entry for entry in incident.timeline if entry.detail.get(STATUS) == incident.status.value]
    return said[-1] if said else None


def last_with(incident: Incident, key: str) -> TimelineEntry | None:
    """Return the newest entry whose detail has this key."""
    return next((entry for entry in reversed(incident.timeline) if key in entry.detail), None)


def considered_in(incident: Incident) -> tuple[str, ...]:
    """Return what else was considered when the incident's action was chosen, each with why it was not."""
    chosen = last_with(incident, "considered")
    return tuple(map(str, chosen.detail["considered"])) if chosen else ()


_OPEN: Final = frozenset(status.value for status in IncidentStatus if status.is_open)
