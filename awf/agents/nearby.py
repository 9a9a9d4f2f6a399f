"""The incidents that new alerts may be about, kept at hand: a storm must not read all open ones for every delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from awf.agents.places import places_of
from awf.analysis.findings import is_same_place
from awf.core.incidents import Incident, IncidentStatus, Target
from awf.core.ports import IncidentStore, Saved
from awf.core.types import IncidentId

PAGE = 50
RESOLVED_KEPT = 50
OPEN = tuple(status for status in IncidentStatus if status.is_open)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An incident as it was saved last, and by what alerts find it."""

    revision: int
    incident: Incident
    places: tuple[Target, ...]
    fingerprints: frozenset[str]

    @classmethod
    def of(cls, saved: Saved) -> Neighbour:
        incident = saved.incident
        held = frozenset(alert.fingerprint for alert in incident.alerts)
        return cls(saved.revision, incident, places_of(incident), held)

    def is_about(self, place: Target) -> bool:
        return any(is_same_place(place, other) for other in self.places)


class Nearby:
    """The open incidents and those resolved lately, as they were saved up to `revision`, here or by another service."""

    def __init__(self) -> None:
        self._known: dict[IncidentId, Neighbour] = {}
        self.revision = 0

    async def load(self, incidents: IncidentStore) -> None:
        """Learn what there is, the first time, and what was saved since then at any other."""
        if self.revision == 0:
            revision = await incidents.last_revision()
            page = await incidents.list(status=IncidentStatus.RESOLVED.value, limit=RESOLVED_KEPT)
            found = [*page.items, *[incident async for incident in _open_ones(incidents)]]
            self.learn(Saved(0, incident) for incident in reversed(found))
            self.revision = max(self.revision, revision)
        self.learn(await incidents.saved_since(self.revision))

    def learn(self, saved: Iterable[Saved]) -> None:
        """Take in what was saved, all of it up to its last revision. What is known to be newer stays."""
        for each in saved:
            known = self._known.get(each.incident.id)
            if known is None or known.revision < each.revision:
                self._put(Neighbour.of(each))
            self.revision = max(self.revision, each.revision)

    def copy(self) -> Nearby:
        made = Nearby()
        made._known, made.revision = dict(self._known), self.revision
        return made

    def note(self, incident: Incident) -> None:
        """Take in what is made of an incident before it is saved."""
        self._put(Neighbour.of(Saved(self.revision, incident)))

    def holding(self, fingerprint: str) -> Incident | None:
        """Return the open incident that holds an alert of this fingerprint, if there is one."""
        return next(
            (
                each.incident
                for each in self
                if fingerprint in each.fingerprints and each.incident.status.is_open
            ),
            None,
        )

    def open_ones(self) -> list[Incident]:
        """Return the open incidents, oldest first."""
        found = [each.incident for each in self._known.values() if each.incident.status.is_open]
        return sorted(found, key=lambda incident: incident.opened_at)

    def __iter__(self) -> Iterator[Neighbour]:
        """Yield the open ones first, of each kind what was saved last."""
        found = reversed(self._known.values())
        return iter(sorted(found, key=lambda each: not each.incident.status.is_open))

    def _put(self, near: Neighbour) -> None:
        self._known.pop(near.incident.id, None)
        if near.incident.status.is_open:
            self._known[near.incident.id] = near
        elif near.incident.status is IncidentStatus.RESOLVED:
            self._known[near.incident.id] = near
            resolved = [key for key, each in self._known.items() if not each.incident.status.is_open]
            for key in resolved[:-RESOLVED_KEPT]:
                del self._known[key]


async def _open_ones(incidents: IncidentStore) -> AsyncIterator[Incident]:
    for status in OPEN:
        cursor: str | None = None
        while True:
            page = await incidents.list(status=status.value, limit=PAGE, cursor=cursor)
            for incident in page.items:
                yield incident
            cursor = page.next_cursor
            if cursor is None:
                break
