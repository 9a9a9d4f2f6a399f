"""Incidents by status, severity, cause and words, from a store that knows only their status and their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from awf.core.incidents import CauseClass, Incident, IncidentStatus
from awf.core.ports import IncidentStore, Page

Severity = Annotated[str, Query(max_length=64, description="critical, error, warning, info or another.")]
Words = Annotated[str, Query(max_length=200, description="Words that labels, place or summary have.")]

MOST_PAGES = 20  # of an answer's size each


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """What an incident has to be. Words are looked for in its alerts, its place and its summary, in any case."""

    status: IncidentStatus | None = None
    severity: str = ""
    cause: CauseClass | None = None
    words: str = ""

    def accepts(self, incident: Incident) -> bool:
        return (
            (self.status is None or incident.status is self.status)
            and (not self.severity or incident.severity == self.severity)
            and (self.cause is None or incident.cause is self.cause)
            and all(word in _text(incident) for word in self.words.lower().split())
        )


async def find_incidents(
    store: IncidentStore, wanted: IncidentFilter, *, limit: int, cursor: str | None
) -> Page[Incident]:
    """Return at most `limit` that match, newest first; the cursor goes on where the search ended, which may be
    before `limit` was reached."""
    found: list[Incident] = []
    for _ in range(MOST_PAGES):
        status = wanted.status.value if wanted.status else None
        page = await store.list(status=status, limit=limit - len(found), cursor=cursor)
        found += filter(wanted.accepts, page.items)
        cursor = page.next_cursor
        if cursor is None or len(found) >= limit:
            break
    return Page(tuple(found), cursor)


def _text(incident: Incident) -> str:
    labels = (text for alert in incident.alerts for text in alert.labels.values())
    summaries = (each.summary for each in incident.hypotheses[:1])
    return " ".join((incident.id, *labels, str(incident.target or ""), *summaries)).lower()
