"""Executions that wait because every worker is busy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from awf.analysis.findings import Finding, Picture, clock_time
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence, Target
from awf.core.increase import total
from awf.core.ports import Series

PER_WORKER = 1.0  # waiting executions for each worker; below it a queue is just traffic
LATELY_S, LEAST_S = 90.0, 30.0
UNEXPLAINED = 0.45
"""Too little to act on: as many workers no longer do what they did. What keeps them shows when it has ended."""


def full_queue(picture: Picture) -> list[Finding]:
    """Return a finding when more executions wait than there are workers."""
    pending = _points(picture.gauges.get(sc.EXECUTIONS_PENDING, ()))
    workers = _points(picture.gauges.get(sc.WORKERS, ()))
    if not pending or not workers:
        return []
    waiting, capacity = pending[-1][1], workers[-1][1]
    if waiting <= PER_WORKER * capacity:
        return []
    active = _points(picture.gauges.get(sc.EXECUTIONS_ACTIVE, ()))
    busy = active[-1][1] if active else capacity
    since = _since(pending, PER_WORKER * capacity)
    rate, rate_before = _arrivals(picture, pending, since)
    more = rate > 1.3 * rate_before
    statement = (
        f"{waiting:.0f} executions wait since {clock_time(since)}, {busy:.0f} of {capacity:.0f} workers are "
        f"busy; {rate:.1f} executions arrive per second, {rate_before:.1f} before"
    )
    fewer = capacity < max(value for _, value in workers)
    against = [] if more else ["no more executions arrive than before"]
    if not more and not fewer:
        against.append("something takes longer, or the workers wait for something that has not ended yet")
    if busy < 0.8 * capacity:
        against.append(f"only {busy:.0f} of {capacity:.0f} workers are busy")
    query = picture.queries.get(sc.EXECUTIONS_PENDING, "")
    return [
        Finding(
            cause=CauseClass.WORKER_SATURATION,
            target=Target(),
            strength=(0.9 if more or fewer else UNEXPLAINED) * (1.0 if busy >= 0.8 * capacity else 0.4),
            summary=f"{waiting:.0f} executions wait for {capacity:.0f} busy workers",
            evidence=(
                Evidence("metrics", statement, query, picture.start, picture.end, waiting, pending[0][1]),
            ),
            against=tuple(against),
            since=datetime.fromtimestamp(since, UTC),
            has_more_arrivals=more,
        )
    ]


def _points(found: Sequence[Series]) -> tuple[tuple[float, float], ...]:
    return found[0].points if found else ()


def _since(points: Sequence[tuple[float, float]], level: float) -> float:
    """Return since when the queue is above a level without a break."""
    since = points[-1][0]
    for at, value in reversed(points):
        if value <= level:
            break
        since = at
    return since


def _arrivals(picture: Picture, pending: Sequence[tuple[float, float]], since: float) -> tuple[float, float]:
    """Return arrivals per second lately and before the queue: what ended, and by how much the queue grew."""
    first, last = pending[0][0], pending[-1][0]

    def rate(start: float, end: float) -> float:
        if end <= start:
            return 0.0
        ended = total(picture.rises(sc.WORKFLOWS), start, end, {})
        inside = [value for at, value in pending if start <= at <= end]
        grown = inside[-1] - inside[0] if inside else 0.0
        return max(0.0, ended + grown) / (end - start)

    # The queue passes its level some time after the arrivals rose: leave that time out of both.
    # A rate over a few seconds says nothing: it ends before what arrived has shown in any counter.
    lately = min(max(since, last - LATELY_S), last - LEAST_S)
    return rate(lately, last), rate(first, max(first, since - LEAST_S))
