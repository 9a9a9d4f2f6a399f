"""Executions that wait because every worker is busy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from awf.analysis.findings import Finding, Picture, clock_time
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence, Target
from awf.core.increase import total
from awf.core.ports import Series

PER_WORKER = 1.0  # waiting executions for each worker; below it a queue is just traffic
LATELY_S, LEAST_S = 90.0, 30.0
MORE, LESS = 1.3, 0.85
UNEXPLAINED = 0.45
"""Too little to act on: as many workers no longer do what they did. What keeps them shows when it has ended."""


@dataclass(frozen=True, slots=True)
class _Flow:
    """How many executions arrived at the queue, and how many ended, in a while."""

    seconds: float
    arrived: float
    ended: float

    @property
    def arrivals_per_s(self) -> float:
        return self.arrived / self.seconds if self.seconds else 0.0

    @property
    def ends_per_s(self) -> float:
        return self.ended / self.seconds if self.seconds else 0.0


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
    now, before = _flows(picture, pending, since)
    statement = (
        f"{waiting:.0f} executions wait since {clock_time(since)}, {busy:.0f} of {capacity:.0f} workers are busy; "
        f"{now.arrivals_per_s:.1f} executions arrive per second, {before.arrivals_per_s:.1f} before; "
        f"{now.ends_per_s:.1f} end, {before.ends_per_s:.1f} before"
    )
    is_overload = _is_more(now, before) and not _is_less_done(now, before)
    is_known = is_overload or capacity < max(value for _, value in workers)
    is_busy = busy >= 0.8 * capacity
    against = _doubts(now, before, is_known=is_known)
    if not is_busy:
        against.append(f"only {busy:.0f} of {capacity:.0f} workers are busy")
    query = picture.queries.get(sc.EXECUTIONS_PENDING, "")
    return [
        Finding(
            cause=CauseClass.WORKER_SATURATION,
            target=Target(),
            strength=(0.9 if is_known else UNEXPLAINED) * (1.0 if is_busy else 0.4),
            summary=f"{waiting:.0f} executions wait for {capacity:.0f} busy workers",
            evidence=(
                Evidence("metrics", statement, query, picture.start, picture.end, waiting, pending[0][1]),
            ),
            against=tuple(against),
            since=datetime.fromtimestamp(since, UTC),
            is_overload=is_overload,
        )
    ]


def _is_more(now: _Flow, before: _Flow) -> bool:
    """Whether more arrives than chance explains: by a third, and by two standard deviations of Poisson counts."""
    if not before.seconds:
        return now.arrived > 0  # nobody saw less
    usual = (now.arrived + before.arrived) / (now.seconds + before.seconds)
    chance = math.sqrt(usual * (1 / now.seconds + 1 / before.seconds))
    rise = now.arrivals_per_s - before.arrivals_per_s
    return now.arrivals_per_s > MORE * before.arrivals_per_s and rise > 2 * chance


def _is_less_done(now: _Flow, before: _Flow) -> bool:
    """Whether workers that are never idle now get less done than before: then each execution takes longer."""
    return now.ends_per_s < LESS * before.ends_per_s


def _doubts(now: _Flow, before: _Flow, *, is_known: bool) -> list[str]:
    doubts = []
    if not _is_more(now, before):
        doubts.append("no more executions arrive than before")
    if _is_less_done(now, before):
        doubts.append("the workers get less done than before: each execution takes longer")
    elif not is_known:
        doubts.append("something takes longer, or the workers wait for something that has not ended yet")
    return doubts


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


def _flows(picture: Picture, pending: Sequence[tuple[float, float]], since: float) -> tuple[_Flow, _Flow]:
    """Return what came and went lately, and before the queue was full. What ended, and by how much the queue grew, arrived."""
    first, last = pending[0][0], pending[-1][0]

    def flow(start: float, end: float) -> _Flow:
        if end <= start:
            return _Flow(0.0, 0.0, 0.0)
        ended = total(picture.rises(sc.WORKFLOWS), start, end, {})
        inside = [value for at, value in pending if start <= at <= end]
        grown = inside[-1] - inside[0] if inside else 0.0
        return _Flow(end - start, max(0.0, ended + grown), ended)

    # The queue passes its level some time after the arrivals rose: leave that time out of both.
    # A rate over a few seconds says nothing: it ends before what arrived has shown in any counter.
    lately = min(max(since, last - LATELY_S), last - LEAST_S)
    return flow(lately, last), flow(first, max(first, since - LEAST_S))
