"""A channel that reaches one person: what it asks can be decided by a link that is made for that person."""

from __future__ import annotations

from dataclasses import replace

from awf.core.decision_links import DecisionLinks
from awf.core.notices import Notice
from awf.core.ports import Notifier


class PersonalNotifier:
    """Implements `Notifier` around another one."""

    def __init__(self, notifier: Notifier, person: str, links: DecisionLinks) -> None:
        self._notifier = notifier
        self._person = person
        self._links = links

    async def send(self, notice: Notice, *, thread: str) -> str:
        if notice.approval_id is not None:
            notice = replace(notice, link=self._links.url(notice.approval_id, self._person))
        return await self._notifier.send(notice, thread=thread)
