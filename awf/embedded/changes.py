"""What was written since when: by it a kept answer knows whether it is still the answer."""

from __future__ import annotations

import threading
from bisect import bisect_right

EVERYTHING_MS = -(1 << 62)
NOTHING_MS = 1 << 62
LATEST_MS = NOTHING_MS - 1  # no timestamp is later
_RESOLUTION_MS = 1_000
_MAX_ENTRIES = 4_096


class Changes:
    """The writes of one signal, each by its oldest timestamp. Safe from several threads.

    A writer notes what has become visible before it acknowledges it. A reader takes `version` before it reads:
    what it then computes is right as long as nothing that it depends on is in `oldest_since(version)`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = self._forgotten = 0
        # Both ascend: a write makes those before it that were not older irrelevant.
        self._versions: list[int] = []
        self._oldest: list[int] = []

    @property
    def version(self) -> int:
        return self._version

    def note(self, oldest_ms: int = EVERYTHING_MS) -> None:
        """Rows from a time on have come or gone."""
        with self._lock:
            self._version += 1
            while self._oldest and self._oldest[-1] >= oldest_ms:
                self._oldest.pop()
                self._versions.pop()
            if self._oldest and self._oldest[-1] > oldest_ms - _RESOLUTION_MS:
                self._versions[-1] = self._version  # as if it were a little older: fewer entries
            else:
                self._oldest.append(oldest_ms)
                self._versions.append(self._version)
            if len(self._versions) > _MAX_ENTRIES:
                self._forgotten = self._versions.pop(0)
                self._oldest.pop(0)

    def oldest_since(self, version: int) -> int:
        """Return the oldest timestamp that was written since a version, NOTHING_MS when nothing was."""
        if version == self._version:  # most of the time, and without the lock
            return NOTHING_MS
        with self._lock:
            if version < self._forgotten:
                return EVERYTHING_MS
            first = bisect_right(self._versions, version)
            return self._oldest[first] if first < len(self._oldest) else NOTHING_MS
