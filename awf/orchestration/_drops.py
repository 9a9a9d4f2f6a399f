"""Events that somebody did not get: counted always, logged now and then."""

from __future__ import annotations

import logging

from awf.core.counters import Counters
from awf.core.semconv import EVENTS_DROPPED

logger = logging.getLogger(__name__)


def is_worth_telling(count: int) -> bool:
    """Say whether what has happened so often is to be logged again: what fails for every event would flood
    the log, and the 1st, 10th, 100th... time suffice."""
    return str(count).strip("0") == "1"


class Drops:
    """Counts what one receiver of events loses."""

    def __init__(self, counters: Counters, receiver: str) -> None:
        self._counters = counters
        self._receiver = receiver
        self._count = 0

    def add(self, reason: str, event_type: str, *, detail: str = "", with_traceback: bool = False) -> None:
        """Count one event."""
        self._counters.add(EVENTS_DROPPED, reason=reason)
        self._count += 1
        if is_worth_telling(self._count):
            logger.warning(
                "event not delivered to a subscriber",
                extra={"receiver": self._receiver, "reason": reason, "event_type": event_type,
                       "dropped": self._count, "detail": detail},
                exc_info=with_traceback,
            )  # fmt: skip
