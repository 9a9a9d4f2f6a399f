"""Reading samples, series and exemplars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from awf.embedded import cost
from awf.embedded.model import STALE_NAN_BITS, Exemplar, Matcher, SeriesBlock
from awf.embedded.store.block import Floats, Ids, Ints, Piece, join, piece_of_rows
from awf.embedded.store.cursors import Cursors, ids_filter
from awf.embedded.store.head import Head
from awf.embedded.store.label_index import LabelIndex

MAX_ROWS = 50_000_000
"""More than a query may select: of many ids the database is told the bounds only, and reads others between."""
MAX_EXEMPLARS = 10_000

_EMPTY = SeriesBlock.of([])
STALE = float(np.array([STALE_NAN_BITS], dtype=np.uint64).view(np.float64)[0])


class SampleTable:
    """Answers `SampleReader` from the head, and for what is older than that from the database."""

    def __init__(self, cursors: Cursors, index: LabelIndex, head: Head) -> None:
        self._cursors = cursors
        self._index = index
        self._head = head

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> SeriesBlock:
        ids = self._index.ids(matchers)
        head_ms, pieces = self._head.pieces(ids, start_ms, end_ms)
        older = (start_ms, min(end_ms, head_ms - 1))
        cost.check_samples(
            len(ids), start_ms, end_ms,
            lambda: self._count(ids, older) + sum(int(piece.counts.sum()) for piece in pieces),
        )  # fmt: skip
        if len(ids) and older[0] <= older[1]:
            pieces.insert(0, self._on_disk(ids, older))
        if not pieces:
            return _EMPTY
        offsets, timestamps, values = join(pieces, len(ids))
        return self._labelled(ids, offsets, timestamps, values)

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Mapping[str, str]]:
        ids = self._index.ids(matchers)
        head_ms, pieces = self._head.pieces(ids, start_ms, end_ms)
        present = np.zeros(len(ids), dtype=np.bool_)
        for piece in pieces:
            present |= piece.counts > 0
        found = [labels for each in ids[present].tolist() if (labels := self._index.labels(each)) is not None]
        missing = ids[~present].tolist()
        older = (start_ms, min(end_ms, head_ms - 1))
        if missing and older[0] <= older[1]:
            found += with_rows(self._cursors, self._index, "samples", missing, older)
        return found

    def exemplars(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Exemplar]:
        ids = set(self._index.find(matchers))
        found = self._cursors.rows(
            "select distinct sid, ts, value, labels from exemplars where ts between ? and ? order by ts",
            [start_ms, end_ms],
            limit=MAX_EXEMPLARS,
            what="exemplars",
        )
        return [
            Exemplar(labels, json.loads(own), value, ts)
            for sid, ts, value, own in found
            if sid in ids and (labels := self._index.labels(sid)) is not None
        ]

    def _count(self, ids: Ids, between: tuple[int, int]) -> int:
        if between[0] > between[1]:
            return 0
        wanted, values = ids_filter(ids)
        statement = f"select count(*) from samples where {wanted} and ts between ? and ?"
        return int(self._cursors.rows(statement, [*values, *between], limit=1, what="counts")[0][0])

    def _on_disk(self, ids: Ids, between: tuple[int, int]) -> Piece:
        wanted, values = ids_filter(ids)
        found = self._cursors.columns(
            f"select sid, ts, value from samples where {wanted} and ts between ? and ?",
            [*values, *between],
            limit=MAX_ROWS,
            what="samples",
        )
        rows = np.searchsorted(ids, found["sid"])
        return piece_of_rows(rows, found["ts"], restore_stale(found["value"]), len(ids))

    def _labelled(self, ids: Ids, offsets: Ints, timestamps: Ints, values: Floats) -> SeriesBlock:
        """Leave out series without samples, and those that retention has just removed."""
        labels = self._index.labels_of(ids)
        counts = np.diff(offsets)
        if None in labels:
            kept = np.array([item is not None for item in labels])
            samples = np.repeat(kept, counts)
            timestamps, values, counts = timestamps[samples], values[samples], np.where(kept, counts, 0)
        here = counts > 0
        return SeriesBlock(
            [item for item, wanted in zip(labels, here.tolist(), strict=True) if wanted and item is not None],
            np.concatenate(([0], np.cumsum(counts[here]))),
            timestamps,
            values,
        )


def with_rows(
    cursors: Cursors, index: LabelIndex, table: str, ids: Sequence[int], between: tuple[int, int]
) -> list[Mapping[str, str]]:
    """Return the label sets of those ids that have a row in a range, both ends included."""
    if not ids:
        return []
    wanted, values = ids_filter(ids)
    found = cursors.columns(
        f"select distinct sid from {table} where {wanted} and ts between ? and ?",
        [*values, *between],
        limit=len(ids),
        what="label sets",
    )["sid"]
    present = np.sort(found).tolist()
    return [labels for label_id in present if (labels := index.labels(label_id)) is not None]


def restore_stale(values: Any) -> NDArray[np.float64]:
    """Turn nulls back into stale markers."""
    return values.filled(STALE) if isinstance(values, np.ma.MaskedArray) else values
