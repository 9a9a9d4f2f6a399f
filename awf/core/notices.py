"""What people are told about an incident, and where it went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from awf.core.types import ApprovalId, IncidentId


class NoticeKind(StrEnum):
    """Why people are told: the incident is theirs now, they are asked, or it is over."""

    TOLD = "told"
    ASKED = "asked"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. Two with the same id are the same: it is sent once to each channel.

    `approval_id` is the question that it asks, if it asks one.
    """

    id: str
    incident_id: IncidentId
    kind: NoticeKind
    title: str
    text: str
    severity: str
    link: str = ""
    approval_id: ApprovalId | None = None

    @classmethod
    def about(
        cls,
        incident_id: IncidentId,
        kind: NoticeKind,
        key: str,
        text: str,
        *,
        severity: str,
        link: str,
        approval_id: ApprovalId | None = None,
    ) -> Self:
        """Return a notice of an incident; `key` tells it from others of its kind."""
        number, title = f"{incident_id}/{kind.value}/{key}", f"AWF incident {incident_id}"
        return cls(number, incident_id, kind, title, text, severity, link, approval_id)


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice on its way to one channel; `thread` is what the channel called the first one of the incident."""

    channel: str
    notice: Notice
    created_at: datetime
    attempts: int = 0
    thread: str = ""

    @property
    def id(self) -> str:
        return f"{self.notice.id}/{self.channel}"


@dataclass(frozen=True, slots=True)
class Told:
    """Which channels took a notice now, and which have not yet, with why; neither for what was sent before."""

    reached: tuple[str, ...]
    waiting: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Say it in words."""
        if not self.reached and not self.waiting:
            return "told on-call before"
        told = f"told on-call by {', '.join(self.reached)}" if self.reached else "nobody was reached yet"
        return "; ".join([told, *(f"{each}, which is tried again" for each in self.waiting)])
