"""What leaves the store: whole days when their time is over or the file is too large, and said so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from awf.core.counters import Counters
from awf.core.semconv import STORE_DROPPED_ROWS
from awf.embedded.store.head import Head
from awf.embedded.store.layout import MS_PER_DAY, SIGNALS, Layout, day_name, transaction
from awf.embedded.store.limits import Limits
from awf.embedded.store.tables import Tables
from awf.embedded.store.writer import GroupWriter

logger = logging.getLogger(__name__)

USED_BYTES = (
    "select block_size * used_blocks from pragma_database_size() where database_name = current_database()"
)
MAX_CUTS = 8
"""How often the oldest eighth of the only day may go before the limit is taken for too small."""

_UNUSED = "select id from {labels} where id not in (select sid from seen where labels = '{labels}')"


class Retention:
    """Drops rows; the keeper calls it, between two folds, with all rows in the tables of their days."""

    def __init__(
        self,
        connection: Any,
        *,
        layout: Layout,
        tables: Tables,
        writer: GroupWriter,
        head: Head,
        limits: Limits,
        counters: Counters,
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._tables = tables
        self._writer = writer
        self._head = head
        self._limits = limits
        self._counters = counters

    @property
    def is_too_large(self) -> bool:
        """Whether the file has more in use than it may. Free blocks are reused, so they do not count."""
        limit, wal = self._limits.max_bytes, self._limits.wal
        if limit is None:
            return False
        used: int = self._connection.execute(USED_BYTES).fetchone()[0]
        return used + (wal.stat().st_size if wal is not None and wal.exists() else 0) > limit

    def drop_before(self, moment_ms: int) -> None:
        """Drop the days that were over at a time."""
        days = [day for day in self._layout.all_days if (day + 1) * MS_PER_DAY <= moment_ms]
        if days:
            self._drop(days, "retention")

    def fit(self, checkpoint: Callable[[], None]) -> None:
        """Drop the oldest day while the file is too large; of the last one, its oldest part."""
        while self.is_too_large and len(self._layout.all_days) > 1:
            self._drop(self._layout.all_days[:1], "size")
            checkpoint()
        for _ in range(MAX_CUTS):
            if not self.is_too_large or not self._cut():
                return
            checkpoint()
        if self.is_too_large:
            logger.warning(
                "the store is larger than its limit", extra={"limit_bytes": self._limits.max_bytes}
            )

    def _drop(self, days: Sequence[int], reason: str) -> None:
        rows = {
            signal.name: sum(
                self._connection.execute(f"select count(*) from {signal.day(day)}").fetchone()[0]
                for day in days
                if day in self._layout.days[signal.name]
            )
            for signal in SIGNALS
        }
        self._layout.drop(self._connection, days)
        self._forget(min(self._layout.all_days, default=max(days) + 1) * MS_PER_DAY)
        for labels in ("series", "streams"):
            unused = [row[0] for row in self._connection.execute(_UNUSED.format(labels=labels)).fetchall()]
            if unused:
                self._writer.run(partial(self._tables.forget, labels, unused)).result()
        self._report(rows, reason, days=[day_name(day) for day in days])

    def _cut(self) -> bool:
        """Drop the oldest eighth of the time that the oldest day's rows span; False when there is none."""
        day = self._layout.all_days[0] if self._layout.all_days else None
        tables = [signal for signal in SIGNALS if day in self._layout.days[signal.name]]
        span = self._span_ms([(signal.day(day or 0), signal.time, signal.per_ms) for signal in tables])
        if span is None:
            return False
        first, last = span
        until = first + max(1, (last - first) // 8)
        with transaction(self._connection):
            rows = {
                signal.name: self._connection.execute(
                    f"delete from {signal.day(day or 0)} where {signal.time} < {until * signal.per_ms}"
                ).fetchone()[0]
                for signal in tables
            }
        self._forget(until)
        self._report(rows, "size", until_ms=until)
        return True

    def _span_ms(self, tables: Iterable[tuple[str, str, int]]) -> tuple[int, int] | None:
        """Return the first and last millisecond of the rows of some tables."""
        found = [
            self._connection.execute(
                f"select min({time}) // {per}, max({time}) // {per} from {table}"
            ).fetchone()
            for table, time, per in tables
        ]
        times = [(first, last) for first, last in found if first is not None]
        if not times:
            return None
        return min(first for first, _ in times), max(last for _, last in times)

    def _forget(self, before_ms: int) -> None:
        """Tell everyone who remembers rows that those before a time are gone."""
        self._head.forget(before_ms)
        self._tables.log_changes.note()
        self._tables.span_changes.note()

    def _report(self, rows: Mapping[str, int], reason: str, **where: object) -> None:
        for signal, count in rows.items():
            self._counters.add(STORE_DROPPED_ROWS, count, signal=signal, reason=reason)
        logger.warning("the store dropped its oldest rows", extra={"reason": reason, **rows, **where})
