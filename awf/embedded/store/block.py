"""Samples in memory: sorted blocks with an index by series, and how pieces of several become one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Of each wanted series a run of samples, [starts[i], stops[i]) of arrays that hold more than that."""

    starts: Ints
    stops: Ints
    times: NDArray[np.uint32] | Ints
    values: Floats
    base_ms: int = 0

    @property
    def counts(self) -> Ints:
        return self.stops - self.starts


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples sorted by series and time, one a moment; `times` count from `base_ms`.

    Series `sids[i]` has the samples [offsets[i], offsets[i + 1]).
    """

    sids: Ids
    offsets: Ints
    times: NDArray[np.uint32] | Ints
    values: Floats
    base_ms: int
    last_ms: int

    @classmethod
    def of(cls, sid: Ids, ts: Ints, value: Floats) -> Self:
        """Sort samples that are in order of arrival, at least one; the last one of a moment stands."""
        base, last = int(ts.min()), int(ts.max())
        times = ts - base
        order, changes = _sorted(sid, times, last - base)
        sid, times, value = sid[order], times[order], value[order]
        if not changes.all():
            sid, times, value = sid[changes], times[changes], value[changes]
        starts = np.flatnonzero(np.concatenate(([True], sid[1:] != sid[:-1])))
        narrow = times.astype(np.uint32) if last - base < 2**32 else times
        return cls(sid[starts], np.append(starts, len(sid)), narrow, value, base, last)

    @classmethod
    def merged(cls, blocks: Sequence[Block]) -> Self:
        """Return one block in place of several, given in order of arrival."""
        return cls.of(
            np.concatenate([np.repeat(block.sids, np.diff(block.offsets)) for block in blocks]),
            np.concatenate([block.times + np.int64(block.base_ms) for block in blocks]),
            np.concatenate([block.values for block in blocks]),
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def size_bytes(self) -> int:
        return self.sids.nbytes + self.offsets.nbytes + self.times.nbytes + self.values.nbytes

    def piece(self, ids: Ids, start_ms: int, end_ms: int) -> Piece | None:
        """Return what some series have in a range, both ends included; None when that is nothing."""
        if end_ms < self.base_ms or start_ms > self.last_ms:
            return None
        place = np.minimum(np.searchsorted(self.sids, ids), len(self.sids) - 1)
        known = self.sids[place] == ids
        starts = np.where(known, self.offsets[place], 0)
        stops = np.where(known, self.offsets[place + 1], 0)
        if start_ms > self.base_ms:
            starts = self._first_at_least(start_ms, starts, stops)
        if end_ms < self.last_ms:
            stops = self._first_at_least(end_ms + 1, starts, stops)
        return Piece(starts, stops, self.times, self.values, self.base_ms)

    def _first_at_least(self, moment_ms: int, low: Ints, high: Ints) -> Ints:
        """Search all runs at once: where each reaches a moment."""
        wanted = moment_ms - self.base_ms
        low, high = low.copy(), high.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            before = open_ & (self.times[np.where(open_, middle, 0)] < wanted)
            low = np.where(before, middle + 1, low)
            high = np.where(open_ & ~before, middle, high)
        return low


def piece_of_rows(rank: NDArray[np.integer], ts: Ints, value: Floats, series: int) -> Piece:
    """Return rows in order of arrival as a piece; `rank` says which of the wanted series a row is of."""
    narrow = rank.astype(np.uint16 if series < 65_536 else np.uint32)
    order = np.argsort(narrow, kind="stable")  # a radix sort for 16 bits
    bounds = np.searchsorted(narrow[order], np.arange(series + 1))
    return Piece(bounds[:-1], bounds[1:], ts[order], value[order])


def join(pieces: Sequence[Piece], series: int) -> tuple[Ints, Ints, Floats]:
    """Return (offsets, timestamps, values) of all series, each sorted by time, one sample a moment.

    Of several samples of a moment the one of the last piece stands, and in a piece the last one.
    """
    counts = np.sum([piece.counts for piece in pieces], axis=0, dtype=np.int64)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    times, values = np.empty(offsets[-1], dtype=np.int64), np.empty(offsets[-1], dtype=np.float64)
    filled = offsets[:-1].copy()
    for piece in pieces:
        own = piece.counts
        before = np.cumsum(own) - own
        steps = np.arange(own.sum())
        source = np.repeat(piece.starts - before, own) + steps
        target = np.repeat(filled - before, own) + steps
        times[target] = piece.times[source] + np.int64(piece.base_ms)
        values[target] = piece.values[source]
        filled += own
    return _tidied(offsets, times, values)


def _tidied(offsets: Ints, times: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
    """Sort those series whose samples are not in strict order of time."""
    wrong = np.flatnonzero(times[1:] <= times[:-1]) + 1
    row = np.searchsorted(offsets, wrong, side="right") - 1
    untidy = np.unique(row[offsets[row] != wrong])
    if not len(untidy):
        return offsets, times, values
    counts = np.diff(offsets)[untidy]
    rows = np.repeat(untidy, counts)
    before = np.cumsum(counts) - counts
    places = np.repeat(offsets[untidy] - before, counts) + np.arange(len(rows))
    base = int(times[places].min())
    order, last = _sorted(rows.astype(np.uint32), times[places] - base, int(times[places].max()) - base)
    times[places], values[places] = times[places[order]], values[places[order]]
    keep = np.full(len(times), True)
    keep[places] = last
    kept = np.concatenate(([0], np.cumsum(keep)))
    return kept[offsets], times[keep], values[keep]


def _sorted(sid: Ids, times: Ints, span: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the order by (sid, time, arrival), and which rows in that order are the last of their moment."""
    if int(sid.max()) * (span + 1) < 2**62:
        key = sid.astype(np.int64) * (span + 1) + times
        order = np.argsort(key, kind="stable")
        key = key[order]
        changes = key[1:] != key[:-1]
    else:
        order = np.lexsort((times, sid))
        changes = (sid[order][1:] != sid[order][:-1]) | (times[order][1:] != times[order][:-1])
    return order, np.append(changes, True)
