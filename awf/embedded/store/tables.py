"""The writing side of the database: one durable commit of many writes, and the label sets that come and go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from awf.embedded.model import LabelKey, MetricMetadata, key_of
from awf.embedded.store import rows as columns
from awf.embedded.store.label_index import LabelIndex
from awf.embedded.store.layout import EXEMPLARS, LOGS, SAMPLES, SPANS, Layout, Signal, transaction
from awf.embedded.store.rows import Columns, Rows

_SAMPLES_OF = (
    "select sid, ts, case when value is null and not stale then 'NaN'::double else value end from incoming"
)
_LABELS = {"series": ("samples", "exemplars"), "streams": ("logs",)}
# What folding a tail costs, in samples: it is due by weight, so that no fold takes long.
_WEIGHTS = {"samples": 1, "exemplars": 4, "logs": 5, "spans": 10}


class Tables:
    """Owns the writing connection; everything here but `__init__` runs in the writer's thread."""

    def __init__(self, connection: Any, layout: Layout, series: LabelIndex, streams: LabelIndex) -> None:
        self._connection = connection
        self._layout = layout
        self._indexes = {"series": series, "streams": streams}
        for name, index in self._indexes.items():
            found = connection.execute(f"select id, labels from {name} order by id").fetchall()
            index.add((label_id, frozenset(json.loads(labels).items())) for label_id, labels in found)
        found = connection.execute("select name, type, help, unit from metadata").fetchall()
        self.metadata: Mapping[str, MetricMetadata] = {name: MetricMetadata(*rest) for name, *rest in found}
        self.tail_weight = sum(
            weight * connection.execute(f"select count(*) from {name}_tail_{layout.tail}").fetchone()[0]
            for name, weight in _WEIGHTS.items()
        )

    def commit(self, writes: Sequence[Rows]) -> None:
        """Store all rows in one durable transaction."""
        new: dict[str, dict[LabelKey, int]] = {"series": {}, "streams": {}}
        metadata = self._changed_metadata(writes)
        with transaction(self._connection):
            weight = self._insert_samples(writes, new["series"])
            weight += self._insert_exemplars(writes, new["series"])
            weight += self._insert_logs(writes, new["streams"])
            spans = list(chain.from_iterable(write.spans for write in writes))
            weight += self._insert(SPANS, columns.span_columns, spans)
            for table, added in new.items():
                self._append(table, columns.label_columns(added), len(added))
            for name, item in metadata.items():
                self._connection.execute(
                    "insert or replace into metadata values (?, ?, ?, ?)",
                    [name, item.type, item.help, item.unit],
                )
        for table, added in new.items():
            self._indexes[table].add((label_id, key) for key, label_id in added.items())
        if metadata:
            self.metadata = {**self.metadata, **metadata}
        self.tail_weight += weight

    def rotate(self) -> None:
        """Let new rows go into a new tail."""
        self._layout.rotate(self._connection)
        self.tail_weight = 0

    def forget(self, labels: str, candidates: Iterable[int]) -> int:
        """Remove those label sets that have no row in a tail either; return how many."""
        found = " union all ".join(
            f"select sid from {table}_tail_{tail}" for table in _LABELS[labels] for tail in self._layout.tails
        )
        self._connection.register("incoming", {"id": np.fromiter(candidates, dtype=np.uint32)})
        try:
            gone = self._connection.execute(
                f"delete from {labels} where id in (select id from incoming) and id not in ({found}) returning id"
            ).fetchall()
        finally:
            self._connection.unregister("incoming")
        self._indexes[labels].remove(label_id for (label_id,) in gone)
        return len(gone)

    def _changed_metadata(self, writes: Sequence[Rows]) -> dict[str, MetricMetadata]:
        items = chain.from_iterable(write.metadata.items() for write in writes)
        return {name: item for name, item in items if self.metadata.get(name) != item}

    def _insert_samples(self, writes: Sequence[Rows], new: dict[LabelKey, int]) -> int:
        parts = [write.samples for write in writes if len(write.samples)]
        if not parts:
            return 0
        ids = self._ids("series", list(chain.from_iterable(part.keys for part in parts)), new)
        rows = columns.sample_columns(ids, parts)
        self._append(SAMPLES.tail(self._layout.tail), rows, len(ids), _SAMPLES_OF)
        return len(ids)

    def _insert_exemplars(self, writes: Sequence[Rows], new: dict[LabelKey, int]) -> int:
        exemplars = list(chain.from_iterable(write.exemplars for write in writes))
        ids = self._ids("series", [key_of(exemplar.series_labels) for exemplar in exemplars], new)
        return self._insert(EXEMPLARS, lambda rows: columns.exemplar_columns(ids, rows), exemplars)

    def _insert_logs(self, writes: Sequence[Rows], new: dict[LabelKey, int]) -> int:
        logs = list(chain.from_iterable(write.logs for write in writes))
        ids = self._ids("streams", [key_of(record.labels) for record in logs], new)
        return self._insert(LOGS, lambda rows: columns.log_columns(ids, rows), logs)

    def _ids(self, labels: str, keys: Sequence[LabelKey], new: dict[LabelKey, int]) -> NDArray[np.uint32]:
        index = self._indexes[labels]
        found = index.ids_of(keys)
        for place in (place for place, label_id in enumerate(found) if label_id is None):
            found[place] = new.setdefault(keys[place], index.next_id + len(new))
        return np.array(found, dtype=np.uint32)

    def _insert(self, signal: Signal, columns_of: Any, items: Sequence[Any]) -> int:
        if items:
            self._append(signal.tail(self._layout.tail), columns_of(items), len(items))
        return len(items) * _WEIGHTS[signal.name]

    def _append(self, table: str, rows: Columns, count: int, source: str = "select * from incoming") -> None:
        if not count:
            return
        self._connection.register("incoming", rows)
        try:
            self._connection.execute(f"insert into {table} {source}")
        finally:
            self._connection.unregister("incoming")
