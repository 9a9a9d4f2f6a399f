"""Filling the head after a start: from the newest samples backwards, until it has its share of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from awf.embedded.changes import EVERYTHING_MS, NOTHING_MS
from awf.embedded.store.head import Head
from awf.embedded.store.layout import LAST_DAY, MS_PER_DAY, SAMPLES, Layout
from awf.embedded.store.samples import restore_stale

MAX_SPAN_MS = MS_PER_DAY
FIRST_SLICE_MS = 300_000
MAX_SLICE_SAMPLES = 1_000_000


def first_start_ms(connection: Any, layout: Layout) -> int:
    """Return from when on an empty head has all samples: always when there are none."""
    if layout.days[SAMPLES.name]:
        return NOTHING_MS
    return EVERYTHING_MS if _newest_ms(connection, layout) is None else NOTHING_MS


def restoring(connection: Any, layout: Layout, head: Head, has_room: Callable[[], bool]) -> Iterator[None]:
    """Restore a slice a step. Readers see each slice at once; until then they read it from the database."""
    newest = _newest_ms(connection, layout)
    if newest is None:
        return
    # What is written from now on the head gets anyway; what is later than the newest there is none of.
    end, span = NOTHING_MS, FIRST_SLICE_MS
    start = newest - span
    while has_room() and start >= newest - MAX_SPAN_MS:
        if start <= min(layout.days[SAMPLES.name], default=LAST_DAY) * MS_PER_DAY:
            start = EVERYTHING_MS
        found = connection.execute(
            "select sid, ts, value from samples where ts >= ? and ts < ?", [start, end]
        ).fetchnumpy()
        columns = (found["sid"], found["ts"], restore_stale(found["value"]))
        if not head.restore(start, end, columns) or start == EVERYTHING_MS:
            return
        yield
        if len(found["sid"]) < MAX_SLICE_SAMPLES // 2:
            span *= 2
        end, start = start, start - span


def _newest_ms(connection: Any, layout: Layout) -> int | None:
    """Return when the newest sample is of; days before the last one cannot have it."""
    tables = [SAMPLES.tail(tail) for tail in layout.tails]
    tables += [SAMPLES.day(day) for day in sorted(layout.days[SAMPLES.name])[-1:]]
    union = " union all ".join(f"select max(ts) as ts from {table}" for table in tables)
    found: int | None = connection.execute(f"select max(ts) from ({union})").fetchone()[0]
    return found
