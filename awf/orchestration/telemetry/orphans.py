"""Sends what processes left in their spools when they died, with the resource that was theirs."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from awf.core.counters import Counters
from awf.errors import DataDirError
from awf.orchestration import spool_lanes
from awf.orchestration.spool import Spool
from awf.orchestration.spool_lanes import Lane
from awf.orchestration.spool_view import SET_ASIDE
from awf.orchestration.telemetry.assembly import Destination, Parts, assemble

logger = logging.getLogger(__name__)

# A process that is being restarted goes on with its own spool; nobody needs to do it instead.
ORPHAN_AFTER_S = 300.0


def drain(
    directory: Path, destination: Destination, counters: Counters, *, idle_s: float = ORPHAN_AFTER_S
) -> Iterator[tuple[Lane, Spool, Parts]]:
    """Yield, one by one, the lanes that nobody has touched for `idle_s`, each with the pipeline that empties
    it and is to be run by the caller. An emptied lane is removed, unless something is set aside in it: then
    it stays as it is."""
    for lane in spool_lanes.orphans(directory):
        try:
            if time.time() - _touched(lane.folder) >= idle_s:
                yield from _drain(lane, destination, counters)
        except DataDirError as error:  # this one cannot be read; the others may be
            logger.warning("a spool left behind cannot be sent", extra={"detail": error.message})
        finally:
            lane.release()


def _drain(lane: Lane, destination: Destination, counters: Counters) -> Iterator[tuple[Lane, Spool, Parts]]:
    spool = Spool(lane.folder, counters=counters)
    try:
        if not spool.depth().events and (lane.folder / SET_ASIDE).exists() and _is_told(lane.folder):
            return
        yield (
            lane,
            spool,
            assemble(spool, lane.resource, destination, counters, folder=lane.folder, until_empty=True),
        )
        is_empty = not spool.depth().events
    finally:
        spool.close()
    if is_empty and not (lane.folder / SET_ASIDE).exists():
        shutil.rmtree(lane.folder)
        logger.info("spool of a dead process sent", extra={"lane": lane.folder.name, **lane.resource})


def _is_told(folder: Path) -> bool:
    """Say whether a pipeline came to its end here: it would only send the same metrics again."""
    saved = max((path.stat().st_mtime_ns for path in folder.glob("snapshot.*")), default=0)
    return saved >= (folder / "cursor").stat().st_mtime_ns


def _touched(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.iterdir() if path.name != "lock"), default=0.0)
