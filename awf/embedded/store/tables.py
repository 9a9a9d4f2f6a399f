"""The writing side of the database: one durable commit of many writes, and the label sets that come and go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from awf.embedded.blocks import LogBlock, SpanBlock
from awf.embedded.changes import Changes
from awf.embedded.model import LabelKey, MetricMetadata, key_of
from awf.embedded.store import rows as columns
from awf.embedded.store.head import Head
from awf.embedded.store.known import NO_ID, KnownIds
from awf.embedded.store.label_index import LabelIndex
from awf.embedded.store.layout import EXEMPLARS, LOGS, SAMPLES, SPANS, Layout, transaction
from awf.embedded.store.rows import Columns, Rows

_SAMPLES_OF = (
    "select sid, ts, case when value is null and not stale then 'NaN'::double else value end from incoming"
)
_LABELS = {"series": ("samples", "exemplars"), "streams": ("logs",)}
# What folding a tail costs, in samples: it is due by weight, so that no fold takes long.
_WEIGHTS = {"samples": 1, "exemplars": 4, "logs": 5, "spans": 10}
_BYTES_OF_FIRST = 1_000

_NewLabels = dict[str, dict[LabelKey, int]]


class Tables:
    """Owns the writing connection; everything here but `__init__` runs in the writer's thread."""

    def __init__(
        self,
        connection: Any,
        *,
        layout: Layout,
        series: LabelIndex,
        streams: LabelIndex,
        head: Head,
        max_label_bytes: int,
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._head = head
        self._max_label_bytes = max_label_bytes
        self._indexes = {"series": series, "streams": streams}
        self._known = KnownIds()
        self.log_changes, self.span_changes = Changes(), Changes()  # the head has those of the samples
        for name, index in self._indexes.items():
            found = connection.execute(f"select id, labels from {name} order by id").fetchall()
            index.add((label_id, frozenset(json.loads(labels).items())) for label_id, labels in found)
        found = connection.execute("select name, type, help, unit from metadata").fetchall()
        self.metadata: Mapping[str, MetricMetadata] = {name: MetricMetadata(*rest) for name, *rest in found}
        self.tail_weight = sum(
            weight * connection.execute(f"select count(*) from {name}_tail_{layout.tail}").fetchone()[0]
            for name, weight in _WEIGHTS.items()
        )

    def commit(self, writes: Sequence[Rows]) -> list[int]:
        """Store all rows in one durable transaction.

        Return how many rows of each write were left out, because their label set is new and there is no
        memory for it.
        """
        new: _NewLabels = {"series": {}, "streams": {}}
        metadata = self._changed_metadata(writes)
        samples, refused_samples = self._samples(writes, new)
        logs, refused_logs = self._logs(writes, new)
        rows = {
            SAMPLES.name: samples,
            EXEMPLARS.name: self._exemplars(writes, new),
            LOGS.name: logs,
            SPANS.name: columns.span_columns([SpanBlock.of(write.spans) for write in writes]),
        }
        with transaction(self._connection):
            for signal, found in rows.items():
                source = _SAMPLES_OF if signal == SAMPLES.name else "select * from incoming"
                self._append(f"{signal}_tail_{self._layout.tail}", found, source)
            for table, added in new.items():
                self._append(table, columns.label_columns(added))
            for name, item in metadata.items():
                self._connection.execute(
                    "insert or replace into metadata values (?, ?, ?, ?)",
                    [name, item.type, item.help, item.unit],
                )
        for table, added in new.items():
            self._indexes[table].add((label_id, key) for key, label_id in added.items())
        if metadata:
            self.metadata = {**self.metadata, **metadata}
        if len(samples["sid"]):
            self._head.append(samples["sid"], samples["ts"], samples["value"])
        if _count(logs):
            self.log_changes.note()
        if _count(rows[SPANS.name]):
            self.span_changes.note()
        self.tail_weight += sum(_WEIGHTS[signal] * _count(found) for signal, found in rows.items())
        return [left_out + more for left_out, more in zip(refused_samples, refused_logs, strict=True)]

    def rotate(self) -> None:
        """Let new rows go into a new tail."""
        self._layout.rotate(self._connection)
        self.tail_weight = 0

    def forget(self, labels: str, candidates: Iterable[int]) -> None:
        """Remove those label sets that have no row in a tail either."""
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
        self._known.forget()

    def _changed_metadata(self, writes: Sequence[Rows]) -> dict[str, MetricMetadata]:
        items = chain.from_iterable(write.metadata.items() for write in writes)
        return {name: item for name, item in items if self.metadata.get(name) != item}

    def _samples(self, writes: Sequence[Rows], new: _NewLabels) -> tuple[Columns, list[int]]:
        parts = [write.samples for write in writes]
        look_up, next_id = partial(self._look_up, "series", new=new), self._indexes["series"].next_id
        ids = [self._known.of(part, look_up, next_id) for part in parts]
        refused = [int(np.count_nonzero(each == NO_ID)) for each in ids]
        return _without_refused(columns.sample_columns(np.concatenate(ids), parts)), refused

    def _exemplars(self, writes: Sequence[Rows], new: _NewLabels) -> Columns:
        exemplars = list(chain.from_iterable(write.exemplars for write in writes))
        ids, _ = self._ids("series", [[key_of(exemplar.series_labels) for exemplar in exemplars]], new)
        return _without_refused(columns.exemplar_columns(ids, exemplars))

    def _logs(self, writes: Sequence[Rows], new: _NewLabels) -> tuple[Columns, list[int]]:
        blocks = [LogBlock.of(write.logs) for write in writes]
        ids, refused = self._ids("streams", [block.keys for block in blocks], new)
        return _without_refused(columns.log_columns(ids, blocks)), refused

    def _ids(
        self, labels: str, parts: Sequence[Sequence[LabelKey]], new: _NewLabels
    ) -> tuple[NDArray[np.uint32], list[int]]:
        """Return the ids of all keys, and how many of each part are refused."""
        ids = np.array(self._look_up(labels, list(chain.from_iterable(parts)), new), dtype=np.uint32)
        refused = np.concatenate(([0], np.cumsum(ids == NO_ID)))
        bounds = [0, *accumulate(len(part) for part in parts)]
        return ids, np.diff(refused[bounds]).tolist()

    def _look_up(self, labels: str, keys: Sequence[LabelKey], new: _NewLabels) -> list[int]:
        """Return the ids of all keys, NO_ID of new ones for which there is no memory."""
        index, added = self._indexes[labels], new[labels]
        found = index.ids_of(keys)
        room = self._room() if None in found else 0
        for place in [place for place, label_id in enumerate(found) if label_id is None]:
            found[place] = added.get(keys[place])
            if found[place] is None and len(added) < room:
                found[place] = added[keys[place]] = index.next_id + len(added)
        return [NO_ID if label_id is None else label_id for label_id in found]

    def _room(self) -> float:
        """Return for how many more label sets there is memory."""
        taken = sum(index.size_bytes for index in self._indexes.values())
        count = sum(len(index) for index in self._indexes.values())
        return (self._max_label_bytes - taken) / (taken // count if count else _BYTES_OF_FIRST)

    def _append(self, table: str, incoming: Columns, source: str = "select * from incoming") -> None:
        """Insert rows. DuckDB finds `incoming`, the variable of this function, by its name: to register and
        unregister it takes twice the time of a small insert."""
        if _count(incoming):
            self._connection.execute(f"insert into {table} {source}")


def _count(rows: Columns) -> int:
    return len(next(iter(rows.values())))


def _without_refused(rows: Columns) -> Columns:
    kept = rows["sid"] != NO_ID
    return rows if kept.all() else {name: column[kept] for name, column in rows.items()}
