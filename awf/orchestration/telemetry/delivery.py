"""Requests that are sent until they arrive: pauses between attempts, what is set aside, what is said of it."""

from __future__ import annotations

import base64
import errno
import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from awf.core.counters import Counters
from awf.core.semconv import EVENTS_DROPPED, EXPORT_FAILURES, EXPORT_RETRIES
from awf.orchestration.telemetry import senders
from awf.orchestration.telemetry.senders import Sender, Undelivered
from awf.orchestration.telemetry.wire import Envelope

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
LONGEST_WISH_S = 300.0  # of a collector's Retry-After
MAX_REQUEST_BYTES = 2 << 20  # collectors take 4 MB over gRPC by default
# A collector that answers "internal error" so often may mean an item rather than itself...
SERVER_ERRORS_BORNE = 5
# ... and one item, with no other to compare, after some minutes.
ALONE_BORNE = 25
SPLITS_A_BATCH = 64
MAX_CONTROL_BYTES = 64 << 10
MAX_SET_ASIDE_BYTES = 256 << 20
FINAL = frozenset({senders.REJECTED, senders.TOO_LARGE})


class Stopped(Exception):
    """The exporter is closing; what was not acknowledged waits."""


class Expired(Exception):
    """What is to be sent is older than the age bound."""


class Stop:
    """Asks deliveries to end: each request is tried once more until a moment, none is waited for."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._deadline = 0.0

    def at(self, deadline: float) -> None:
        """Stop at a moment of `time.monotonic()`."""
        self._deadline = deadline
        self._event.set()

    @property
    def is_asked(self) -> bool:
        return self._event.is_set()

    @property
    def left_s(self) -> float:
        """Seconds that are left; endless while nobody asked."""
        return self._deadline - time.monotonic() if self._event.is_set() else float("inf")

    def wait(self, seconds: float) -> None:
        """Sleep before another attempt. Raises Stopped when there is to be none."""
        if self._event.wait(seconds):
            raise Stopped


class Delivery:
    """Delivers items of one signal. `observe` is told how many milliseconds each request took, `meanwhile`
    is called in pauses. What the collector refuses for good goes to the file `set_aside`."""

    def __init__(
        self,
        signal: str,
        sender: Sender,
        envelope: Envelope,
        counters: Counters,
        stop: Stop,
        *,
        set_aside: Path | None = None,
        observe: Callable[[str, float], None] = lambda signal, took_ms: None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self._signal = signal
        self._sender = sender
        self._envelope = envelope
        self._counters = counters
        self._stop = stop
        self._set_aside = set_aside
        self._observe = observe
        self._meanwhile = meanwhile
        self._is_away = False
        self._is_refused = False
        self._splits = 0
        self._control: Sequence[bytes] = ()  # an item that was taken: sent again, it tells whether others are
        self._not_before = 0.0

    def deliver(self, items: Sequence[bytes], is_expired: Callable[[], bool] = lambda: False) -> None:
        """Return when all have arrived or were refused for good. Raises Stopped, Expired."""
        self._splits = 0
        for part in _parts(items):
            self._deliver(part, is_expired)

    def try_once(self, items: Sequence[bytes]) -> bool:
        """Say whether they arrived at the first attempt, which is left out while the collector wants a pause.

        What it refuses for good is divided, so that the others arrive."""
        if time.monotonic() < self._not_before and not self._stop.is_asked:
            return False
        parts, has_arrived = _parts(items), True
        while parts:
            part = parts.pop(0)
            try:
                self._send(part)
                continue
            except Undelivered as found:
                problem = found
            is_final = problem.reason in FINAL
            if is_final and len(part) > 1:
                parts[:0] = _halves(part)
                continue
            has_arrived = False
            self._counters.add(EXPORT_FAILURES, reason=f"{self._signal}_not_delivered")
            # Dividing takes many requests, and hardly anything will have changed so soon.
            pause_s = LONGEST_PAUSE_S if is_final else min(problem.retry_after_s, LONGEST_WISH_S)
            self._not_before = time.monotonic() + pause_s
            if not is_final:
                self._note(problem)
                return False
            self._tell_refused(problem)
        return has_arrived

    def _deliver(self, items: Sequence[bytes], is_expired: Callable[[], bool]) -> None:
        pause_s, server_errors = FIRST_PAUSE_S, 0
        while True:
            try:
                self._send(items)
                return
            except Undelivered as found:
                problem = found
            if problem.reason in FINAL:
                self._divide(items, problem, is_expired)
                return
            self._note(problem)
            if problem.reason == senders.SERVER_ERROR:
                server_errors += 1
                if server_errors % SERVER_ERRORS_BORNE == 0:
                    items = self._sift(items, problem, is_alone=server_errors >= ALONE_BORNE)
                    if not items:
                        return
            if is_expired():
                raise Expired
            # Exporters that lost the collector together must not come back together.
            jittered = pause_s * random.uniform(0.5, 1.0)  # noqa: S311
            self._pause(max(min(problem.retry_after_s, LONGEST_WISH_S), jittered))
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _pause(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        self._meanwhile()
        while (left_s := ends_at - time.monotonic()) > 0:
            self._stop.wait(min(left_s, 1.0))
            self._meanwhile()

    def _send(self, items: Sequence[bytes]) -> None:
        left_s = self._stop.left_s
        if left_s <= 0:
            raise Stopped
        began = time.monotonic()
        complaint = self._sender.send(self._envelope.wrap(items), left_s)
        self._observe(self._signal, (time.monotonic() - began) * 1000)
        if len(items[0]) <= MAX_CONTROL_BYTES:
            self._control = items[:1]
        if self._is_away:
            logger.info("telemetry is delivered again", extra={"signal": self._signal})
        self._is_away = False
        if complaint:
            self._counters.add(EXPORT_FAILURES, reason=f"{self._signal}_partly_rejected")
            logger.warning(
                "collector took telemetry only in part", extra={"signal": self._signal, "detail": complaint}
            )

    def _divide(self, items: Sequence[bytes], problem: Undelivered, is_expired: Callable[[], bool]) -> None:
        """Find the item that a whole request was refused for, so that the others arrive."""
        self._splits += 1
        if len(items) == 1 or (self._splits > SPLITS_A_BATCH and not self._takes_others()):
            self._put_aside(items, problem)
            return
        for half in _halves(items):
            self._deliver(half, is_expired)

    def _sift(self, items: Sequence[bytes], problem: Undelivered, *, is_alone: bool) -> Sequence[bytes]:
        """Return what is still to be sent when items that a collector cannot bear are set aside, if there are
        any: one that takes nothing at all is out of order, and no item's fault."""
        self._splits = 0
        try:
            if self._control:
                self._send(self._control)
            failing = self._failing(items)
        except Undelivered:
            return items
        if not self._control:  # nothing was ever taken
            if is_alone and len(items) == 1:
                self._put_aside(items, problem)
                return ()
            return items
        return [item for item in failing if not self._is_settled(item)]

    def _is_settled(self, item: bytes) -> bool:
        """Deliver an item or, where it is certain that it is to blame, set it aside."""
        try:
            # The collector may have recovered only now: it must take another item right before and after.
            self._send(self._control)
            try:
                self._send([item])
                return True
            except Undelivered as problem:
                if problem.reason not in {*FINAL, senders.SERVER_ERROR}:
                    return False
                found = problem
            self._send(self._control)
        except Undelivered:
            return False
        self._put_aside([item], found)
        return True

    def _takes_others(self) -> bool:
        try:
            if self._control:
                self._send(self._control)
        except Undelivered:
            return False
        return bool(self._control)

    def _failing(self, items: Sequence[bytes]) -> list[bytes]:
        """Send in ever smaller requests and return what fails alone. Raises Undelivered for other reasons."""
        try:
            self._send(items)
            return []
        except Undelivered as problem:
            self._splits += 1
            is_outage = self._splits > SPLITS_A_BATCH and not self._control
            if is_outage or problem.reason not in {*FINAL, senders.SERVER_ERROR}:
                raise
        if len(items) == 1:
            return list(items)
        return [item for half in _halves(items) for item in self._failing(half)]

    def _put_aside(self, items: Sequence[bytes], problem: Undelivered) -> None:
        self._counters.add(EVENTS_DROPPED, len(items), reason="rejected")
        logger.error(
            "collector refuses telemetry for good: set aside",
            extra={"signal": self._signal, "items": len(items), "detail": problem.detail,
                   "file": str(self._set_aside or "")},
        )  # fmt: skip
        if self._set_aside is None:
            return
        line = {
            "signal": self._signal, "time_ns": time.time_ns(), "detail": problem.detail,
            "items": [base64.b64encode(item).decode() for item in items],
        }  # fmt: skip
        try:
            _add_line(self._set_aside, json.dumps(line))
        except OSError as error:
            logger.warning("refused telemetry cannot be set aside", extra={"detail": str(error)})

    def _tell_refused(self, problem: Undelivered) -> None:
        # Once: it is refused again with each attempt, between others that are taken.
        if not self._is_refused:
            logger.error(
                "collector refuses telemetry for good",
                extra={"signal": self._signal, "detail": problem.detail},
            )
        self._is_refused = True

    def _note(self, problem: Undelivered) -> None:
        self._counters.add(EXPORT_RETRIES, signal=self._signal, reason=problem.reason)
        if not self._is_away:
            logger.warning(
                "telemetry is not delivered",
                extra={"signal": self._signal, "reason": problem.reason, "detail": problem.detail},
            )
        self._is_away = True


def _parts(items: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Divide items so that each request stays within what collectors take."""
    parts, begin, size = [], 0, 0
    for index, item in enumerate(items):
        if size and size + len(item) > MAX_REQUEST_BYTES:
            parts.append(items[begin:index])
            begin, size = index, 0
        size += len(item)
    if size:
        parts.append(items[begin:])
    return parts


def _halves(items: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _add_line(path: Path, line: str) -> None:
    """Add a whole line or nothing. Raises OSError."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        data = f"{line}\n".encode()
        if size + len(data) > MAX_SET_ASIDE_BYTES:
            raise OSError(errno.EFBIG, f"{path} holds {size:,} bytes")
        if file.write(data) != len(data):
            file.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
