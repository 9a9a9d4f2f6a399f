"""What goes on behind reading and writing: the head is filled and trimmed, tails move into their days, old days go."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import duckdb

from awf.core.counters import Counters
from awf.embedded.store.head import Head
from awf.embedded.store.label_index import LabelIndex
from awf.embedded.store.layout import Layout
from awf.embedded.store.limits import Limits
from awf.embedded.store.restore import restoring
from awf.embedded.store.retention import Retention
from awf.embedded.store.tables import Tables
from awf.embedded.store.writer import GroupWriter

logger = logging.getLogger(__name__)

FOLD_INTERVAL_S = 1_800.0
LOOK_INTERVAL_S = 1.0
RETRY_INTERVAL_S = 10.0


class Keeper:
    """Changes the layout and the head, one change at a time: from its own thread when it is due, or when told."""

    def __init__(
        self,
        connection: Any,
        *,
        layout: Layout,
        tables: Tables,
        indexes: tuple[LabelIndex, LabelIndex],
        head: Head,
        writer: GroupWriter,
        limits: Limits,
        counters: Counters,
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._tables = tables
        self._indexes = indexes
        self._head = head
        self._writer = writer
        self._limits = limits
        self._retention = Retention(
            connection, layout=layout, tables=tables, writer=writer, head=head, limits=limits, counters=counters
        )  # fmt: skip
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._folded_at = time.monotonic()
        self._restoring = restoring(connection, layout, head, self._has_room)
        self._is_restored = False
        self._thread = threading.Thread(target=self._run, name="awf-store-keeper", daemon=True)
        self._thread.start()

    @property
    def is_restored(self) -> bool:
        """Whether the head has what it had before the start."""
        return self._is_restored

    def close(self) -> None:
        """Stop; a change that is interrupted is as if it had not begun."""
        if self._closing.is_set():
            return
        self._closing.set()
        while self._thread.is_alive():
            self._connection.interrupt()
            self._thread.join(0.05)
        with self._lock:
            self._connection.close()

    def fold(self) -> None:
        """Move everything written so far into the tables of its days."""
        with self._lock:
            self._fold()

    def sweep(self, older_than_ms: int) -> None:
        """Drop the days that were over at a time, then what is too much for the file."""
        with self._lock:
            if self._tables.tail_weight:
                self._fold()
            self._retention.drop_before(older_than_ms)
            self._checkpoint()
            self._retention.fit(self._checkpoint)

    def copy_to(self, path: Path, query: str) -> int:
        """Write what a query finds as Parquet; return how many rows. Nothing changes meanwhile."""
        with self._lock:
            quoted = str(path).replace("'", "''")
            found = self._connection.execute(
                f"copy ({query}) to '{quoted}' (format parquet, compression zstd)"
            )
            return int(found.fetchone()[0])

    def trim(self, head_bytes: int) -> None:
        """Put the head in shape, with no more than so many bytes."""
        with self._lock:
            self._trim(head_bytes)

    def _run(self) -> None:
        while not self._closing.wait(LOOK_INTERVAL_S if self._is_restored else 0):
            try:
                with self._lock:
                    self._look()
            except duckdb.Error as error:  # boundary: it is tried again, and no row is lost meanwhile
                if not self._closing.is_set():
                    logger.warning("store upkeep failed", extra={"error": str(error)})
                    self._closing.wait(RETRY_INTERVAL_S)

    def _look(self) -> None:
        if not self._is_restored:
            self._is_restored = next(self._restoring, True) is True
        self._trim(self._head_bytes())
        if self._is_due():
            self._fold()
            if self._retention.is_too_large:
                self._retention.fit(self._checkpoint)

    def _trim(self, head_bytes: int) -> None:
        self._head.seal()
        self._head.shrink(head_bytes)

    def _is_due(self) -> bool:
        if self._limits.fold_weight is None:
            return False
        if len(self._layout.tails) > 1 or self._tables.tail_weight >= self._limits.fold_weight:
            return True
        return self._tables.tail_weight > 0 and time.monotonic() >= self._folded_at + FOLD_INTERVAL_S

    def _fold(self) -> None:
        if self._tables.tail_weight:
            self._writer.run(self._tables.rotate).result()
        while len(self._layout.tails) > 1:
            self._layout.fold(self._connection)
        self._folded_at = time.monotonic()
        self._checkpoint()

    def _checkpoint(self) -> None:
        try:
            self._connection.execute("checkpoint")
        except duckdb.TransactionException:  # a write is under way; the next one does it
            logger.debug("checkpoint put off")

    def _head_bytes(self) -> int:
        return self._limits.own_bytes - min(
            self._limits.label_bytes, sum(index.size_bytes for index in self._indexes)
        )

    def _has_room(self) -> bool:
        return self._head.size_bytes < self._head_bytes()
