"""Beside the pipeline: puts events on the disk itself every so often, and looks for spools left behind."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from awf.core.counters import Counters
from awf.errors import AwfError
from awf.orchestration.spool import Backlog
from awf.orchestration.telemetry import orphans
from awf.orchestration.telemetry.assembly import Destination, Parts

logger = logging.getLogger(__name__)

LOOK_S = 60.0


class Housekeeper:
    """Two threads: one syncs, the other sends what dead processes left."""

    def __init__(
        self, backlog: Backlog, directory: Path, destination: Destination, counters: Counters
    ) -> None:
        self._backlog = backlog
        self._directory = directory
        self._destination = destination
        self._counters = counters
        self._stopping = threading.Event()
        self._draining: Parts | None = None

    def start(self, fsync_s: float) -> None:
        """Sync every `fsync_s` seconds; 0 leaves it to the operating system."""
        if fsync_s > 0:
            threading.Thread(target=self._sync, args=(fsync_s,), name="awf-spool-sync", daemon=True).start()
        threading.Thread(target=self._look, name="awf-spool-orphans", daemon=True).start()

    def stop(self) -> None:
        """End both; a drain under way stops after its request."""
        self._stopping.set()
        if (draining := self._draining) is not None:
            draining.stop.at(time.monotonic())

    def _sync(self, interval_s: float) -> None:
        is_failing = False
        while not self._stopping.wait(interval_s):
            try:
                self._backlog.sync()
                is_failing = False
            except OSError as error:
                if not is_failing:
                    logger.warning("spool cannot be synced", extra={"detail": str(error)})
                is_failing = True

    def _look(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                left = orphans.drain(
                    self._directory, self._destination, self._counters, idle_s=orphans.ORPHAN_AFTER_S
                )
                for _, _, parts in left:
                    self._draining = parts
                    if self._stopping.is_set():
                        return
                    parts.pipeline.run()
            except (OSError, AwfError) as error:
                logger.warning("spools left behind cannot be sent", extra={"detail": str(error)})
            finally:
                self._draining = None
