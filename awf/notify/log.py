"""Notifications in the log: always there, so that nothing is lost when no other channel is set."""

from __future__ import annotations

import logging

from awf.notify import NotifierSpec

logger = logging.getLogger(__name__)


class LogNotifier:
    """Implements `Notifier`."""

    name = "log"

    async def send(self, title: str, text: str, *, severity: str, link: str = "") -> None:
        logger.warning(
            "on-call notification", extra={"title": title, "text": text, "severity": severity, "link": link}
        )


SPEC = NotifierSpec("log", "Writes notifications to the log.", lambda _: LogNotifier())
