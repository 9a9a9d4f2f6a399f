"""What goes on behind reading and writing: tails move into their days, old days go, the file stays within its size."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from awf.core.counters import Counters
from awf.core.semconv import STORE_DROPPED_ROWS
from awf.embedded.store.layout import MS_PER_DAY, SIGNALS, Layout, day_name, transaction
from awf.embedded.store.tables import Tables
from awf.embedded.store.writer import GroupWriter

logger = logging.getLogger(__name__)

FOLD_WEIGHT = 1_000_000
FOLD_INTERVAL_S = 1_800.0
LOOK_INTERVAL_S = 1.0
MAX_CUTS = 8
"""How often the oldest eighth of the only day may go before the limit is taken for too small."""

USED_BYTES = (
    "select block_size * used_blocks from pragma_database_size() where database_name = current_database()"
)
_UNUSED = "select id from {labels} where id not in (select sid from seen where labels = '{labels}')"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a tail is due (in samples; None: only when told), and how many bytes the file may have in use."""

    fold_weight: int | None = FOLD_WEIGHT
    max_bytes: int | None = None
    wal: Path | None = None


class Keeper:
    """Changes the layout, one change at a time, from any thread; its own thread does so when it is due."""

    def __init__(
        self,
        connection: Any,
        *,
        layout: Layout,
        tables: Tables,
        writer: GroupWriter,
        limits: Limits,
        counters: Counters,
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._tables = tables
        self._writer = writer
        self._limits = limits
        self._counters = counters
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._folded_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="awf-store-keeper", daemon=True)
        self._thread.start()

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
        """Drop the days that ended before a time, then what is too much for the file."""
        with self._lock:
            if self._tables.tail_weight:
                self._fold()
            days = [day for day in self._layout.all_days if (day + 1) * MS_PER_DAY <= older_than_ms]
            if days:
                self._drop(days, "retention")
            self._fit()

    def _used_bytes(self) -> int:
        """What the file's blocks and its log take; free blocks are reused, so they do not count."""
        used: int = self._connection.execute(USED_BYTES).fetchone()[0]
        wal = self._limits.wal
        return used + (wal.stat().st_size if wal is not None and wal.exists() else 0)

    def _run(self) -> None:
        while not self._closing.wait(LOOK_INTERVAL_S):
            try:
                with self._lock:
                    if self._is_due():
                        self._fold()
                        self._fit()
            except duckdb.Error as error:  # boundary: it is tried again, and no row is lost meanwhile
                if not self._closing.is_set():
                    logger.warning("store upkeep failed", extra={"error": str(error)})
                    self._closing.wait(10 * LOOK_INTERVAL_S)

    def _is_due(self) -> bool:
        if self._limits.fold_weight is None:
            return False
        if len(self._layout.tails) > 1 or self._tables.tail_weight >= self._limits.fold_weight:
            return True
        waited = time.monotonic() - self._folded_at
        return self._tables.tail_weight > 0 and waited >= FOLD_INTERVAL_S

    def _fold(self) -> None:
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

    def _drop(self, days: Sequence[int], reason: str) -> None:
        rows = self._count_rows(days)
        self._layout.drop(self._connection, days)
        for labels in ("series", "streams"):
            unused = [row[0] for row in self._connection.execute(_UNUSED.format(labels=labels)).fetchall()]
            if unused:
                self._writer.run(_forgetting(self._tables, labels, unused)).result()
        self._checkpoint()
        self._report(rows, reason, days=[day_name(day) for day in days])

    def _count_rows(self, days: Sequence[int]) -> dict[str, int]:
        return {
            signal.name: sum(
                self._connection.execute(f"select count(*) from {signal.day(day)}").fetchone()[0]
                for day in days
                if day in self._layout.days[signal.name]
            )
            for signal in SIGNALS
        }

    def _report(self, rows: dict[str, int], reason: str, **where: object) -> None:
        for signal, count in rows.items():
            self._counters.add(STORE_DROPPED_ROWS, count, signal=signal, reason=reason)
        logger.warning("the store dropped its oldest rows", extra={"reason": reason, **rows, **where})

    def _fit(self) -> None:
        """Drop the oldest day while the file is too large; of the last one, its oldest part."""
        limit = self._limits.max_bytes
        if limit is None or self._used_bytes() <= limit:
            return
        self._fold()
        while self._used_bytes() > limit and len(self._layout.all_days) > 1:
            self._drop(self._layout.all_days[:1], "size")
        for _ in range(MAX_CUTS):
            if self._used_bytes() <= limit or not self._layout.all_days:
                return
            self._cut(self._layout.all_days[0])
        logger.warning(
            "the store is larger than its limit", extra={"used_bytes": self._used_bytes(), "limit": limit}
        )

    def _cut(self, day: int) -> None:
        """Drop the oldest eighth of the time that a day's rows span."""
        tables = [signal for signal in SIGNALS if day in self._layout.days[signal.name]]
        spans = " union all ".join(
            f"select min({s.time} // {s.per_day // MS_PER_DAY}), max({s.time} // {s.per_day // MS_PER_DAY}) from {s.day(day)}"
            for s in tables
        )  # fmt: skip
        first, last = self._connection.execute(
            f"select min(t.a), max(t.b) from ({spans}) as t(a, b)"
        ).fetchone()
        if first is None:
            return
        until = first + max(1, (last - first) // 8)
        rows = {}
        with transaction(self._connection):
            for signal in tables:
                rows[signal.name] = self._connection.execute(
                    f"delete from {signal.day(day)} where {signal.time} < {until * (signal.per_day // MS_PER_DAY)}"
                ).fetchone()[0]
        self._checkpoint()
        self._report(rows, "size", until_ms=until)


def _forgetting(tables: Tables, labels: str, unused: list[int]) -> Callable[[], None]:
    def forget() -> None:
        tables.forget(labels, unused)

    return forget
