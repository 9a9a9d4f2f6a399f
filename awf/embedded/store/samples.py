"""Reading samples, series and exemplars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from awf.embedded import cost
from awf.embedded.model import STALE_NAN_BITS, Exemplar, Matcher, SeriesData
from awf.embedded.store.cursors import Cursors, ids_filter, pick
from awf.embedded.store.label_index import LabelIndex

MAX_EXEMPLARS = 10_000

_STALE = float(np.array([STALE_NAN_BITS], dtype=np.uint64).view(np.float64)[0])


class SampleTable:
    """Answers `SampleReader` for a database and its index of series."""

    def __init__(self, cursors: Cursors, index: LabelIndex) -> None:
        self._cursors = cursors
        self._index = index

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[SeriesData]:
        ids = self._index.find(matchers)
        if not ids:
            return []
        cost.check_samples(len(ids), start_ms, end_ms, lambda: self._count(ids, start_ms, end_ms))
        found = self._cursors.columns(
            f"select sid, ts, value from samples where {ids_filter(ids)} and ts between ? and ?",
            [start_ms, end_ms],
            limit=cost.MAX_SAMPLES,
            what="samples",
        )
        sid, ts, value = found["sid"], found["ts"], _restore_stale(found["value"])
        chosen = pick(sid, ids)
        if chosen is not None:
            sid, ts, value = sid[chosen], ts[chosen], value[chosen]
        return self._by_series(np.asarray(ids), sid, ts, value)

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Mapping[str, str]]:
        return with_rows(
            self._cursors, self._index, "samples", self._index.find(matchers), (start_ms, end_ms)
        )

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

    def _count(self, ids: Sequence[int], start_ms: int, end_ms: int) -> int:
        found = self._cursors.columns(
            f"select sid, count(*) as n from samples where {ids_filter(ids)} and ts between ? and ? group by sid",
            [start_ms, end_ms],
            limit=ids[-1] + 1,
            what="series",
        )
        chosen = pick(found["sid"], ids)
        return int((found["n"] if chosen is None else found["n"][chosen]).sum())

    def _by_series(
        self, ids: NDArray[Any], sid: NDArray[Any], ts: NDArray[np.int64], value: NDArray[np.float64]
    ) -> list[SeriesData]:
        """Split rows in order of insertion into series in order of time."""
        if not len(sid):
            return []
        rank = np.searchsorted(ids, sid).astype(np.uint16 if len(ids) < 65_536 else np.uint32)
        order = np.argsort(rank, kind="stable")  # a radix sort for 16 bits
        rank, ts, value = rank[order], ts[order], value[order]
        edges = np.flatnonzero(np.diff(rank)) + 1
        starts = np.concatenate(([0], edges))
        disorder = np.zeros(len(rank), dtype=np.bool_)
        disorder[1:] = np.diff(ts) <= 0
        disorder[starts] = False
        untidy = set(np.unique(rank[disorder]).tolist())
        result = []
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(rank)], strict=True):
            labels = self._index.labels(int(ids[rank[start]]))
            if labels is None:
                continue
            times, values = ts[start:stop], value[start:stop]
            if int(rank[start]) in untidy:
                times, values = _last_wins(times, values)
            result.append(SeriesData(labels, times, values))
        return result


def with_rows(
    cursors: Cursors, index: LabelIndex, table: str, ids: Sequence[int], between: tuple[int, int]
) -> list[Mapping[str, str]]:
    """Return the label sets of those ids that have a row in a range, both ends included."""
    if not ids:
        return []
    found = cursors.columns(
        f"select distinct sid from {table} where {ids_filter(ids)} and ts between ? and ?",
        between,
        limit=ids[-1] + 1,
        what="label sets",
    )["sid"]
    chosen = pick(found, ids)
    present = np.sort(found if chosen is None else found[chosen]).tolist()
    return [labels for label_id in present if (labels := index.labels(label_id)) is not None]


def _restore_stale(values: Any) -> NDArray[np.float64]:
    """Turn nulls back into stale markers."""
    return values.filled(_STALE) if isinstance(values, np.ma.MaskedArray) else values


def _last_wins(
    times: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sort by time; of two samples of one time keep the one written last."""
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    keep = np.ones(len(times), dtype=np.bool_)
    keep[:-1] = times[1:] != times[:-1]
    return times[keep], values[keep]
