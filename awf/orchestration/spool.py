"""Events on disk until somebody acknowledged them: an append-only log in segment files.

What `append` took survives the death of the process at once (it is in the page cache), and that of the
machine after the next `sync`. A spool belongs to one process: `spool_lanes` gives each its own folder.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from awf.core.counters import Counters
from awf.core.semconv import EVENTS_DROPPED
from awf.errors import DataDirError, Overloaded
from awf.orchestration import _segments as segments
from awf.orchestration._segments import Frames

logger = logging.getLogger(__name__)

MAX_BYTES = 1 << 30
SEGMENT_BYTES = 16 << 20
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits for its acknowledgement."""

    events: int
    bytes: int


class Backlog(Protocol):
    """A queue of events that leave by acknowledgement only. Any thread may append, one reads.

    `max_bytes` bounds what waits.
    """

    max_bytes: int

    @property
    def acknowledged(self) -> int:
        """The position before which nothing waits."""
        ...

    @property
    def end(self) -> int:
        """The position behind the last event."""
        ...

    def append(self, payload: bytes) -> None:
        """Add an event. Raises Overloaded when the queue is full and OSError when the disk is; either way
        nothing of the event is kept. Raises ValueError for one that is larger than 4 MB."""
        ...

    def read(self, position: int, *, max_events: int, until: int | None = None) -> Frames:
        """Return events from a position on, perhaps `until` another; none when there are no more."""
        ...

    def acknowledge(self, position: int, events: int) -> None:
        """Say that the `events` before a position have arrived. Raises OSError when that could not be
        written down: after a restart they would be sent again."""
        ...

    def trim(self, position: int) -> None:
        """Forget what lies before a position, as far as that is acknowledged. Raises OSError."""
        ...

    def sync(self) -> None:
        """Put what was appended on the disk itself. Raises OSError."""
        ...

    def depth(self) -> Depth: ...

    def close(self) -> None:
        """Close; what waits stays where it is. May be called again."""
        ...

    def abandon(self) -> None:
        """Let go of it in the child of a fork, whose parent goes on with it."""
        ...


class Spool:
    """A `Backlog` in one folder. Raises DataDirError when the folder cannot be used.

    Damage is cut off, logged and counted (`reason=corrupt`), never fatal.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        counters: Counters | None = None,
    ) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._counters = counters or Counters()
        self._lock = threading.Lock()
        self._writer = -1  # the last segment's descriptor; the next append makes a segment where it is -1
        self._unsynced: dict[int, int] = {}  # base -> descriptor, of full segments not yet on the disk
        self._is_dirty = False
        self._is_short = False  # of room on the disk
        self._damaged: set[int] = set()  # positions that were reported
        self._reader = -1
        self._reader_base = -1
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._cursor = os.open(folder / "cursor", os.O_RDWR | os.O_CREAT, 0o600)
            self._bases = segments.bases(folder)
            self._end = self._find_end()
            self._acknowledged = self._read_cursor()
            self._waiting = self._count_waiting()
        except OSError as error:
            raise DataDirError(
                f"the spool in {folder} cannot be used: {error}", hint="Name a folder that can be written to."
            ) from error

    @property
    def acknowledged(self) -> int:
        return self._acknowledged

    @property
    def end(self) -> int:
        return self._end

    def depth(self) -> Depth:
        return Depth(self._waiting, max(0, self._end - self._acknowledged))

    # -- writing

    def append(self, payload: bytes) -> None:
        if len(payload) > segments.MAX_PAYLOAD:
            raise ValueError(f"an event of {len(payload):,} bytes; {segments.MAX_PAYLOAD:,} are the most")
        record = segments.frame(payload)
        with self._lock:
            if self._end + len(record) - self._acknowledged > self.max_bytes:
                raise Overloaded(
                    f"the spool is full: {self.max_bytes:,} bytes wait for the collector",
                    hint="Is the collector up? AWF_SPOOL_MAX_MB sets the limit.",
                )
            if self._cursor < 0:
                raise OSError(errno.EBADF, "the spool is closed")
            try:
                if self._writer < 0 or self._end - self._bases[-1] >= self._segment_bytes:
                    self._roll()
                segments.append(self._writer, record, self._end - self._bases[-1])
            except OSError:
                self._is_short = True
                raise
            self._end += len(record)
            self._waiting += 1
            self._is_dirty = True

    def sync(self) -> None:
        with self._lock:
            # A descriptor of its own: the segment may be left by the writer while the disk works.
            last = [os.dup(self._writer)] if self._is_dirty and self._writer >= 0 else []
            descriptors, self._unsynced = [*self._unsynced.values(), *last], {}
            self._is_dirty = False
        try:
            for descriptor in descriptors:
                os.fsync(descriptor)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sync()
        with self._lock:
            self.abandon()

    def abandon(self) -> None:
        # Without the lock: another thread may have held it at the fork.
        for descriptor in (self._writer, self._reader, self._cursor, *self._unsynced.values()):
            if descriptor >= 0:
                os.close(descriptor)
        self._writer = self._reader = self._reader_base = self._cursor = -1
        self._unsynced = {}

    def _roll(self) -> None:
        fresh = segments.create(self.folder, self._end)
        if self._writer >= 0:
            self._unsynced[self._bases[-1]] = self._writer
        self._writer = fresh
        self._bases.append(self._end)
        self._end += len(segments.MAGIC)

    # -- reading

    def read(self, position: int, *, max_events: int, until: int | None = None) -> Frames:
        """Return up to about 1 MB of events; damaged parts are passed over."""
        last = self._end if until is None else min(until, self._end)
        while True:
            base, end = self._segment_at(position)
            end = min(end, last)
            offset = max(position - base, len(segments.MAGIC))
            if base + offset >= end:
                if end >= last:
                    return Frames([], last)
                position = end
                continue
            found = self._parse(base, offset, end - base - offset, max_events)
            if found.payloads:
                return Frames(found.payloads, base + offset + found.end)
            position = min(end, base + offset + self._resume(base, offset, end - base - offset))
            self._report_damage(base, offset, position - base - offset)

    def acknowledge(self, position: int, events: int) -> None:
        with self._lock:
            self._acknowledged = position
            # Behind the last one nothing waits, also where damage kept some from being read.
            self._waiting = max(0, self._waiting - events) if position < self._end else 0
            # In place: a full disk must not keep us from saying that something may be deleted.
            os.pwrite(self._cursor, segments.cursor(position), 0)

    def trim(self, position: int) -> None:
        """Delete the segments that lie wholly before a position; the last one only when room is short."""
        with self._lock:
            position = min(position, self._acknowledged)
            while len(self._bases) > 1 and self._bases[1] <= position:
                self._delete_first(self._unsynced.pop(self._bases[0], -1))
            if self._is_short and self._bases and self._end <= position:
                self._delete_first(self._writer)
                self._writer = -1
            self._is_short = False

    def _delete_first(self, descriptor: int) -> None:
        base = self._bases[0]
        segments.path_of(self.folder, base).unlink(missing_ok=True)
        del self._bases[0]
        # The disk has its room back when nobody has the file open.
        if descriptor >= 0:
            os.close(descriptor)
        if self._reader_base == base:
            os.close(self._reader)
            self._reader = self._reader_base = -1

    def _segment_at(self, position: int) -> tuple[int, int]:
        """Return where the segment that holds a position begins and ends; the first one for an older position."""
        with self._lock:
            end = self._end
            for base in reversed(self._bases):
                if base <= position or base == self._bases[0]:
                    return base, end
                end = base
            return end, end

    def _parse(self, base: int, offset: int, size: int, max_events: int) -> Frames:
        try:
            self._turn_to(base)
        except FileNotFoundError:  # deleted by somebody: all of it is damage
            return Frames([], 0, is_damaged=True)
        found = segments.parse(os.pread(self._reader, min(READ_BYTES, size), offset), max_events)
        if not found.payloads and size > READ_BYTES:  # one event may be larger than what was read
            found = segments.parse(os.pread(self._reader, min(segments.CHUNK, size), offset), 1)
        return found

    def _resume(self, base: int, offset: int, size: int) -> int:
        """Return how many bytes from damaged ones on are to be left out."""
        if self._reader_base != base:
            return size
        # All that a frame may be long, and some more; a segment is hardly longer.
        data = os.pread(self._reader, min(segments.CHUNK, size), offset)
        return segments.resume(data) or size

    def _turn_to(self, base: int) -> None:
        if self._reader_base == base:
            return
        if self._reader >= 0:
            os.close(self._reader)
        self._reader = self._reader_base = -1
        self._reader = os.open(segments.path_of(self.folder, base), os.O_RDONLY)
        self._reader_base = base

    # -- opening what a process left

    def _find_end(self) -> int:
        """Return the end; what a dying machine left half-written before it is cut off."""
        while self._bases:
            base = self._bases[-1]
            path = segments.path_of(self.folder, base)
            good, size = segments.cut(path)
            if good < size:
                self._report_damage(base, good, size - good)
            if good:
                return base + good
            path.unlink()
            self._bases.pop()
        return 0

    def _read_cursor(self) -> int:
        first, text = self._bases[0] if self._bases else 0, os.pread(self._cursor, 64, 0)
        if not text:
            return first
        position = segments.parse_cursor(text)
        if position is None:
            logger.warning("spool cursor damaged: events are sent again", extra={"spool": str(self.folder)})
            return first
        if not self._bases:
            self._end = position  # all was delivered and deleted: go on counting where it ended
        return min(max(position, first), self._end)

    def _count_waiting(self) -> int:
        count, position = 0, self._acknowledged
        while (found := self.read(position, max_events=1 << 30)).payloads:
            count += len(found.payloads)
            position = found.end
        return count

    def _report_damage(self, base: int, offset: int, size: int) -> None:
        if base + offset in self._damaged:
            return
        self._damaged.add(base + offset)
        self._counters.add(EVENTS_DROPPED, reason="corrupt")
        path = segments.path_of(self.folder, base)
        logger.error(
            "a part of the spool is damaged and left out",
            extra={"segment": str(path), "from_byte": offset, "bytes": size},
        )
