"""The spool's twin in memory: the same behaviour without a disk, and nothing left after the process."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice

from awf.errors import Overloaded
from awf.orchestration._segments import Frames
from awf.orchestration.spool import Depth

MAX_BYTES = 64 << 20


class MemorySpool:
    """A `Backlog` whose positions count events."""

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._payloads: deque[bytes] = deque()
        self._bytes = 0
        self._acknowledged = 0

    @property
    def acknowledged(self) -> int:
        return self._acknowledged

    @property
    def end(self) -> int:
        with self._lock:
            return self._acknowledged + len(self._payloads)

    def append(self, payload: bytes) -> None:
        with self._lock:
            if self._bytes + len(payload) > self.max_bytes:
                raise Overloaded(
                    f"the queue of events is full: {self.max_bytes:,} bytes wait for the collector",
                    hint="Is the collector up? With a spool on disk more can wait.",
                )
            self._payloads.append(payload)
            self._bytes += len(payload)

    def read(self, position: int, *, max_events: int, until: int | None = None) -> Frames:
        with self._lock:
            skip = max(0, position - self._acknowledged)
            last = skip + max_events if until is None else min(skip + max_events, until - self._acknowledged)
            found = list(islice(self._payloads, skip, max(skip, last)))
            return Frames(found, self._acknowledged + skip + len(found))

    def acknowledge(self, position: int, events: int) -> None:
        with self._lock:
            while self._acknowledged < position and self._payloads:
                self._bytes -= len(self._payloads.popleft())
                self._acknowledged += 1

    def trim(self, position: int) -> None:
        """Acknowledging has forgotten all that there was."""

    def sync(self) -> None:
        """There is no disk."""

    def depth(self) -> Depth:
        with self._lock:
            return Depth(len(self._payloads), self._bytes)

    def close(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        """Nothing is open."""
