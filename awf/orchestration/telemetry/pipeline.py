"""The thread that takes events from a backlog, makes telemetry of them and acknowledges what has arrived."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from awf.core.counters import Counters
from awf.core.semconv import EVENTS_DROPPED, EXPORTED_EVENTS
from awf.orchestration.spool import Backlog
from awf.orchestration.telemetry import record as records
from awf.orchestration.telemetry.aggregate import MetricState
from awf.orchestration.telemetry.delivery import Expired, Stop, Stopped
from awf.orchestration.telemetry.record import Record
from awf.orchestration.telemetry.snapshot import Snapshots
from awf.orchestration.telemetry.spans import SpanBuilder, SpanData

logger = logging.getLogger(__name__)

BATCH_EVENTS = 2048
POLL_S = 0.25
SNAPSHOT_S = 10.0
MAX_AGE_S = 7 * 86_400.0
UNREADABLE_S = 1.0
LAST_TRIES, LAST_PAUSE_S = 5, 1.0
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Outlet(Protocol):
    """Where telemetry goes."""

    def send(
        self, batch: Sequence[Record], spans: Sequence[SpanData], is_expired: Callable[[], bool]
    ) -> None:
        """Return when spans and logs have arrived. Raises Stopped, and Expired once `is_expired` says so."""
        ...

    def settled(self, batch: Sequence[Record]) -> None:
        """Take note that a batch is acknowledged; from now on it counts in metrics."""
        ...

    def tick(self, *, is_last: bool = False) -> bool:
        """Send metrics when it is time, or for the last time; False when they were not taken."""
        ...

    def close(self) -> None: ...


class Pipeline:
    """Moves one backlog's events to one outlet, until stopped or, with `until_empty`, until none is left.

    A backlog on disk (`folder`) keeps a snapshot beside it.
    """

    def __init__(
        self,
        backlog: Backlog,
        outlet: Outlet,
        state: MetricState,
        counters: Counters,
        stop: Stop,
        *,
        folder: Path | None = None,
        max_age_s: float = MAX_AGE_S,
        until_empty: bool = False,
    ) -> None:
        self._backlog = backlog
        self._outlet = outlet
        self._state = state
        self._counters = counters
        self._stop = stop
        self._snapshots = Snapshots(folder) if folder else None
        self._max_age_s = max_age_s
        self._until_empty = until_empty
        self._spans = SpanBuilder()
        self._end_found = backlog.end  # by this process, behind what others left
        self._is_unreadable = False
        self._hurry = threading.Event()
        self._snapshot_due = time.monotonic() + SNAPSHOT_S
        self.oldest_ns = 0

    @property
    def oldest_age_s(self) -> float:
        """How long the oldest event waits, in seconds; 0 where none does."""
        if not self._backlog.depth().events or not self.oldest_ns:
            return 0.0
        return max(0.0, (time.time_ns() - self.oldest_ns) / 1e9)

    def hurry(self) -> None:
        """Look for events now rather than at the next poll."""
        self._hurry.set()

    def run(self) -> None:
        """Work until told to stop. Nothing that goes wrong here reaches the program around it."""
        try:
            position = self._recover()
            while not self._stop.is_asked or position < self._backlog.end:
                position = self._step(position)
                if self._backlog.depth().events >= BATCH_EVENTS:
                    continue
                # What is left would make a small request: let more come, unless this is the end.
                is_end = self._until_empty or self._stop.is_asked
                if is_end and position >= self._backlog.end:
                    break
                if not is_end:
                    self._hurry.wait(POLL_S)
                    self._hurry.clear()
            self._tell_last()
            self._save(position)
        except Stopped:
            pass  # a batch was begun: the last snapshot stands, and what follows it is read again
        except Exception:  # boundary: telemetry must not take its program down
            logger.exception("telemetry stopped: an unexpected error")
        finally:
            self._outlet.close()

    def _tell_last(self) -> None:
        # Nobody comes after the one who sends what a dead process left: it may try more than once.
        for _ in range(LAST_TRIES if self._until_empty else 1):
            if self._outlet.tick(is_last=True):
                return
            if self._until_empty:
                self._stop.wait(LAST_PAUSE_S)

    def _step(self, position: int) -> int:
        """Move one batch, if there is any; returns where to go on."""
        try:
            frames = self._backlog.read(position, max_events=BATCH_EVENTS)
        except OSError as error:
            if not self._is_unreadable:
                logger.warning("spool cannot be read", extra={"detail": str(error)})
            self._is_unreadable = True
            self._stop.wait(UNREADABLE_S)
            return position
        self._is_unreadable = False
        if frames.payloads:
            batch = self._decode(frames.payloads)
            self._move_all(batch)
            self._acknowledge(frames.end, len(frames.payloads))
        else:
            self.oldest_ns = 0
            if frames.end > self._backlog.acknowledged:  # what is damaged waits for nobody
                self._acknowledge(frames.end, 0)
        self._outlet.tick()
        if time.monotonic() >= self._snapshot_due:
            self._save(frames.end)
        return frames.end

    def _acknowledge(self, position: int, events: int) -> None:
        try:
            self._backlog.acknowledge(position, events)
        except OSError as error:
            logger.warning("spool cursor cannot be written", extra={"detail": str(error)})

    def _move_all(self, batch: Sequence[Record]) -> None:
        """Move a batch; an event that telemetry cannot be made of must not stop all others for ever."""
        try:
            self._move(batch)
        except Stopped:
            raise
        except Exception as error:  # boundary: what an event is made of is the user's
            if len(batch) > 1:
                logger.exception("telemetry of a batch failed: its events are tried one by one")
                for record in batch:
                    self._move_all([record])
                return
            self._counters.add(EVENTS_DROPPED, reason="invalid")
            about = {"event_type": batch[0].type, "execution_id": batch[0].execution_id}
            logger.warning("no telemetry can be made of an event", extra=about | {"detail": str(error)})

    def _move(self, batch: Sequence[Record]) -> None:
        if not batch:
            return
        self.oldest_ns = batch[0].time_ns
        newest_ns = max(record.time_ns for record in batch)
        spans = [span for record in batch for span in self._spans.add(record)]
        exported = len(batch)
        try:
            self._outlet.send(batch, spans, lambda: time.time_ns() - newest_ns > self._max_age_s * 1e9)
        except Expired:
            exported = 0
            self._counters.add(EVENTS_DROPPED, len(batch), reason="expired")
            logger.warning(
                "events given up: they are too old",
                extra={"events": len(batch), "max_age_s": self._max_age_s},
            )
        self._outlet.settled(batch)
        self._counters.add(EXPORTED_EVENTS, exported)

    def _decode(self, payloads: Sequence[bytes]) -> Sequence[Record]:
        try:
            return records.read(payloads)
        except ValueError:
            return [record for payload in payloads for record in self._decode_one(payload)]

    def _decode_one(self, payload: bytes) -> Sequence[Record]:
        try:
            return records.read([payload])
        except ValueError as error:
            self._counters.add(EVENTS_DROPPED, reason="corrupt")
            logger.warning("an event in the spool cannot be read", extra={"detail": str(error)})
            return []

    # -- over a restart

    def _recover(self) -> int:
        """Bring series and open spans up to what was acknowledged; returns where to go on."""
        goal = self._backlog.acknowledged
        if self._snapshots is None:
            return goal
        saved = self._snapshots.load(self._state, self._spans)
        if saved is not None and goal < saved <= self._end_found:
            # A snapshot is written of what has arrived, so it is the cursor that is behind.
            goal = self._catch_up(goal, saved)
        # Without one, all that is still there is counted: a process that died young has deleted nothing.
        position = 0 if saved is None else min(saved, goal)
        while position < goal:
            frames = self._backlog.read(position, max_events=BATCH_EVENTS, until=goal)
            if not frames.payloads:
                break
            for record in self._decode(frames.payloads):
                self._spans.add(record)
                self._state.add(record)
            position = frames.end
        if saved is None or saved > goal:
            self._save(goal)  # from now on positions mean what they mean in this spool
        return goal

    def _catch_up(self, position: int, goal: int) -> int:
        """Acknowledge up to a goal."""
        while position < goal:
            frames = self._backlog.read(position, max_events=BATCH_EVENTS, until=goal)
            position = frames.end if frames.payloads else goal
            self._acknowledge(position, len(frames.payloads))
        return goal

    def _save(self, position: int) -> None:
        self._snapshot_due = time.monotonic() + SNAPSHOT_S
        if self._snapshots is None:
            self._backlog.trim(position)
            return
        for is_second in (False, True):
            try:
                self._snapshots.save(position, self._state, self._spans)
                self._backlog.trim(position)
                return
            except OSError as error:
                logger.warning("telemetry snapshot cannot be written", extra={"detail": str(error)})
                if error.errno not in NO_ROOM or is_second:
                    return
                # On a full disk room comes first: what is delivered goes, and then it is tried again.
                with contextlib.suppress(OSError):
                    self._backlog.trim(position)
