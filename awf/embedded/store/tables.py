"""The writing side of the database: one commit of many writes, and retention."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from awf.embedded.model import LabelKey, MetricMetadata, key_of
from awf.embedded.store import rows as columns
from awf.embedded.store.label_index import LabelIndex
from awf.embedded.store.rows import Columns, Rows

_INSERT_SAMPLES = """
insert into samples
select sid, ts, case when value is null and not stale then 'NaN'::double else value end from incoming
"""


class Tables:
    """Owns the writing connection; only the writer's thread calls `commit` and `sweep`."""

    def __init__(self, connection: Any, series: LabelIndex, streams: LabelIndex) -> None:
        self._connection = connection
        self._series = series
        self._streams = streams
        self.metadata: Mapping[str, MetricMetadata] = {}

    def load(self) -> None:
        """Read label sets and metadata into memory."""
        for table, index in (("series", self._series), ("streams", self._streams)):
            found = self._connection.execute(f"select id, labels from {table}").fetchall()
            index.add((label_id, frozenset(json.loads(labels).items())) for label_id, labels in found)
        found = self._connection.execute("select name, type, help, unit from metadata").fetchall()
        self.metadata = {name: MetricMetadata(*rest) for name, *rest in found}

    def commit(self, writes: Sequence[Rows]) -> None:
        """Store all rows in one durable transaction."""
        new_series: dict[LabelKey, int] = {}
        new_streams: dict[LabelKey, int] = {}
        metadata = self._changed_metadata(writes)
        self._connection.begin()
        try:
            self._insert_samples(writes, new_series)
            self._insert_exemplars(writes, new_series)
            self._insert_logs(writes, new_streams)
            spans = list(chain.from_iterable(write.spans for write in writes))
            self._insert("spans", columns.span_columns(spans), len(spans))
            self._insert("series", columns.label_columns(new_series), len(new_series))
            self._insert("streams", columns.label_columns(new_streams), len(new_streams))
            for name, item in metadata.items():
                self._connection.execute(
                    "insert or replace into metadata values (?, ?, ?, ?)",
                    [name, item.type, item.help, item.unit],
                )
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        self._series.add((label_id, key) for key, label_id in new_series.items())
        self._streams.add((label_id, key) for key, label_id in new_streams.items())
        if metadata:
            self.metadata = {**self.metadata, **metadata}

    def sweep(self, cutoff_ms: int) -> None:
        """Delete rows older than the cutoff, and label sets that no row has any more."""
        cutoff_ns = cutoff_ms * 1_000_000
        gone: dict[str, list[int]] = {}
        self._connection.begin()
        try:
            for table in ("samples", "exemplars"):
                self._connection.execute(f"delete from {table} where ts < ?", [cutoff_ms])
            self._connection.execute("delete from logs where ts < ?", [cutoff_ns])
            self._connection.execute("delete from spans where start_ns < ?", [cutoff_ns])
            for table, rows in (("series", "samples"), ("streams", "logs")):
                found = self._connection.execute(
                    f"delete from {table} where id not in (select sid from {rows}) returning id"
                ).fetchall()
                gone[table] = [label_id for (label_id,) in found]
            self._connection.execute("delete from exemplars where sid not in (select id from series)")
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        self._series.remove(gone["series"])
        self._streams.remove(gone["streams"])

    def _changed_metadata(self, writes: Sequence[Rows]) -> dict[str, MetricMetadata]:
        items = chain.from_iterable(write.metadata.items() for write in writes)
        return {name: item for name, item in items if self.metadata.get(name) != item}

    def _insert_samples(self, writes: Sequence[Rows], new: dict[LabelKey, int]) -> None:
        samples = [write.samples for write in writes]
        ids = [_id_of(self._series, new, key) for part in samples for key in part.keys]
        self._insert("samples", columns.sample_columns(ids, samples), len(ids), _INSERT_SAMPLES)

    def _insert_exemplars(self, writes: Sequence[Rows], new: dict[LabelKey, int]) -> None:
        exemplars = list(chain.from_iterable(write.exemplars for write in writes))
        ids = [_id_of(self._series, new, key_of(exemplar.series_labels)) for exemplar in exemplars]
        self._insert("exemplars", columns.exemplar_columns(ids, exemplars), len(exemplars))

    def _insert_logs(self, writes: Sequence[Rows], new: dict[LabelKey, int]) -> None:
        logs = list(chain.from_iterable(write.logs for write in writes))
        ids = [_id_of(self._streams, new, key_of(record.labels)) for record in logs]
        self._insert("logs", columns.log_columns(ids, logs), len(logs))

    def _insert(self, table: str, rows: Columns, count: int, statement: str = "") -> None:
        if not count:
            return
        self._connection.register("incoming", rows)
        try:
            self._connection.execute(statement or f"insert into {table} select * from incoming")
        finally:
            self._connection.unregister("incoming")


def _id_of(index: LabelIndex, new: dict[LabelKey, int], key: LabelKey) -> int:
    known = index.id_of(key)
    if known is None:
        known = new.setdefault(key, index.next_id + len(new))
    return known
