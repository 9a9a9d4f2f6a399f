"""Notices in the log: always there, so that nothing is lost when no other channel is set."""

from __future__ import annotations

import logging

from awf.core.notices import Notice
from awf.notify import NotifierSpec, Options

logger = logging.getLogger(__name__)


class LogNotifier:
    """Implements `Notifier`."""

    async def send(self, notice: Notice, *, thread: str) -> str:
        extra = {
            "kind": notice.kind.value, "title": notice.title, "text": notice.text, "severity": notice.severity,
            "link": notice.link, "incident_id": notice.incident_id,
        }  # fmt: skip
        logger.warning("on-call notification", extra=extra)
        return ""


SPEC = NotifierSpec("log", "Writes notices to the log.", Options, lambda _: LogNotifier())
