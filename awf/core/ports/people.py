"""People who are told and asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from awf.core.notices import Letter, Notice, Told
from awf.core.types import ApprovalId, IncidentId


class Notifier(Protocol):
    """A way to reach people."""

    async def send(self, notice: Notice, *, thread: str) -> str:
        """Hand a notice over; return what later ones of its incident join it by, empty when nothing does.
        Raises Unavailable, or another AwfError, when it was not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Press:
    """A button that someone pressed on a question in a chat: `user` as the chat knows them, `person` as we do, which is
    empty for a stranger."""

    user: str
    person: str
    approval_id: ApprovalId
    approve: bool
    reason: str
    reply_to: str
    signature: str


class Buttons(Protocol):
    """Questions that are answered in a chat."""

    def read(self, body: bytes, headers: Mapping[str, str], *, now: float) -> Press | None:
        """Return what was pressed, None when nothing is asked of us. Raises Unauthorized for what the chat did not sign,
        or signed minutes ago, and InvalidInput. Whether it came before is seen by its `signature`."""
        ...

    async def reply(self, press: Press, text: str, *, is_final: bool) -> None:
        """Say what became of it: in place of the question when that is decided, else to who pressed. Never raises."""
        ...


class People(Protocol):
    """Those who are told about incidents, by all channels at once."""

    async def tell(self, notice: Notice) -> Told:
        """Store a notice and send it; what does not take it is tried again later. A repeat of its id sends
        nothing. Raises StateUnavailable."""
        ...


class Outbox(Protocol):
    """Notices until they are sent."""

    async def put(self, notice: Notice, channels: Sequence[str]) -> None:
        """Store a notice for channels; one that is there already stays as it is."""
        ...

    async def take(self, *, notice_id: str = "", limit: int = 50, hold_s: float = 60.0) -> list[Letter]:
        """Return letters that are due, of one notice or of all, oldest first; nobody else gets them for a while."""
        ...

    async def sent(self, letter: Letter, thread: str) -> None: ...

    async def failed(self, letter: Letter, error: str, *, again_in_s: float | None) -> None:
        """Note an attempt that failed; without a time it is given up."""
        ...

    async def channels_of(self, incident_id: IncidentId) -> set[str]:
        """Return the channels that have letters of an incident."""
        ...
