"""The incidents that new alerts may be about, kept at hand: a storm must not read all open ones for every delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from awf.core.incidents import Incident, IncidentStatus
from awf.core.ports import IncidentStore, Saved
from awf.core.types import IncidentId

PAGE = 50
RESOLVED_KEPT = 50
OPEN = tuple(status for status in IncidentStatus if status.is_open)


class Nearby:
    """The open incidents and those resolved lately, as they were saved up to `revision`, here or by another service."""

    def __init__(self, incidents: IncidentStore) -> None:
        self._incidents = incidents
        self._known: dict[IncidentId, Saved] = {}
        self.revision = 0

    async def refresh(self) -> None:
        """Learn what was saved since the last time."""
        if self.revision == 0:
            await self._load()
        saved = await self._incidents.saved_since(self.revision)
        self.learn(saved, max((each.revision for each in saved), default=self.revision))

    def learn(self, saved: Iterable[Saved], revision: int) -> None:
        """Take in all that was saved up to a revision. What is known to be newer stays."""
        for each in saved:
            known = self._known.get(each.incident.id)
            if known is None or known.revision < each.revision:
                self._put(each)
        self.revision = max(self.revision, revision)

    def note(self, incident: Incident) -> None:
        """Take in what was just made of an incident, until it is read."""
        known = self._known.get(incident.id)
        self._put(Saved(known.revision if known else 0, incident))

    def __iter__(self) -> Iterator[Incident]:
        """Yield the open ones first, of each kind what was saved last."""
        found = [each.incident for each in reversed(self._known.values())]
        return iter(sorted(found, key=lambda incident: not incident.status.is_open))

    def _put(self, saved: Saved) -> None:
        self._known.pop(saved.incident.id, None)
        if saved.incident.status.is_open:
            self._known[saved.incident.id] = saved
        elif saved.incident.status is IncidentStatus.RESOLVED:
            self._known[saved.incident.id] = saved
            resolved = [key for key, each in self._known.items() if not each.incident.status.is_open]
            for key in resolved[:-RESOLVED_KEPT]:
                del self._known[key]

    async def _load(self) -> None:
        revision = await self._incidents.last_revision()
        page = await self._incidents.list(status=IncidentStatus.RESOLVED.value, limit=RESOLVED_KEPT)
        found = [*page.items, *[incident async for incident in open_incidents(self._incidents)]]
        self.learn([Saved(0, incident) for incident in reversed(found)], revision)


async def open_incidents(incidents: IncidentStore) -> AsyncIterator[Incident]:
    """Yield every open incident."""
    for status in OPEN:
        cursor: str | None = None
        while True:
            page = await incidents.list(status=status.value, limit=PAGE, cursor=cursor)
            for incident in page.items:
                yield incident
            cursor = page.next_cursor
            if cursor is None:
                break
