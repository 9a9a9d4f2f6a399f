"""Sending what waits in spools whose process is gone, for people at a terminal."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from awf.core.counters import Counters
from awf.core.semconv import EVENTS_DROPPED, EXPORT_RETRIES, EXPORTED_EVENTS
from awf.orchestration import spool_lanes
from awf.orchestration.spool_lanes import SERVICE, Lane
from awf.orchestration.spool_view import SET_ASIDE, read_set_aside
from awf.orchestration.telemetry.assembly import Destination
from awf.orchestration.telemetry.delivery import Delivery, Stop, Stopped
from awf.orchestration.telemetry.endpoints import TRACES, endpoints_from
from awf.orchestration.telemetry.orphans import drain
from awf.orchestration.telemetry.senders import sender_for
from awf.orchestration.telemetry.wire import Envelope
from awf.settings import Settings
from awf.wiring.engine import default_endpoint

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of it, in events (or set-aside items), and why requests had to be repeated or failed."""

    sent: int
    left: int
    problems: tuple[str, ...]


def destination(settings: Settings, endpoint: str) -> Destination:
    """Return where spools are sent. Raises ConfigError."""
    endpoints = endpoints_from(os.environ, endpoint=endpoint or default_endpoint(settings))
    return Destination(endpoints, max_age_s=settings.spool_max_age_s)


def drain_spools(directory: Path, where: Destination, tell: Tell, *, limit_s: float) -> Drained:
    """Send what dead processes left, for `limit_s` seconds at most. Raises OSError, AwfError."""
    counters, give_up_at, left = Counters(), time.monotonic() + limit_s, 0
    for lane, spool, parts in drain(directory, where, counters, idle_s=0.0):
        before = spool.depth().events
        parts.start()
        while parts.thread.is_alive() and time.monotonic() < give_up_at:
            parts.thread.join(0.5)
            tell(f"{_name(lane)}: {before - spool.depth().events:,} of {before:,} events sent")
        parts.abort()
        left += spool.depth().events
    return Drained(int(counters.get(EXPORTED_EVENTS)), left, _problems(counters))


def send_set_aside(directory: Path, where: Destination, tell: Tell, *, limit_s: float) -> Drained:
    """Send once more what collectors refused for good; what is refused again stays. Raises OSError."""
    counters, stop, sent, left = Counters(), Stop(), 0, 0
    stop.at(time.monotonic() + limit_s)
    for lane in spool_lanes.orphans(directory):
        items = sum(len(entry.items) for entry in read_set_aside(lane.folder))
        try:
            refused = _send_again(lane, where, counters, stop) if items else 0
        except Stopped:
            refused = items
        finally:
            lane.release()
        sent, left = sent + items - refused, left + refused
        tell(f"{_name(lane)}: {items - refused:,} of {items:,} items sent")
    return Drained(sent, left, _problems(counters))


def _send_again(lane: Lane, where: Destination, counters: Counters, stop: Stop) -> int:
    """Send what was set aside in one lane and return how many items are refused again."""
    draft = lane.folder / "set_aside.new"
    draft.unlink(missing_ok=True)
    for entry in read_set_aside(lane.folder):
        sender = sender_for(where.endpoints[entry.signal])
        try:
            envelope = Envelope(lane.resource, has_schema=entry.signal == TRACES)
            Delivery(entry.signal, sender, envelope, counters, stop, set_aside=draft).deliver(
                [base64.b64decode(item) for item in entry.items]
            )
        finally:
            sender.close()
    if not draft.exists():
        (lane.folder / SET_ASIDE).unlink()
        return 0
    draft.replace(lane.folder / SET_ASIDE)
    return sum(len(entry.items) for entry in read_set_aside(lane.folder))


def _name(lane: Lane) -> str:
    return f"{lane.folder.name} {lane.resource.get(SERVICE, '')}".rstrip()


def _problems(counters: Counters) -> tuple[str, ...]:
    found = {
        labels["reason"]
        for name, labels, _ in counters.snapshot()
        if name in {EXPORT_RETRIES, EVENTS_DROPPED}
    }
    return tuple(sorted(found))
