"""The newest samples in memory, so that queries about now need no disk.

It has every sample from `start_ms` on and answers for those alone; the database has all of them. What it may use of
memory is bounded: it gives up its oldest part, and `start_ms` moves on.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np

from awf.embedded.changes import EVERYTHING_MS, Changes
from awf.embedded.store.block import Block, Floats, Ids, Ints, Piece
from awf.embedded.store.limits import SEAL_SAMPLES

FAN = 4
MAX_MERGES = 2  # the largest blocks are merged twice, out of 16: more would take a query's memory to make
_Columns = tuple[Ids, Ints, Floats]
_BYTES_PER_PENDING = 20


class Head:
    """One thread appends, one keeps it in shape, any thread reads. `changes` has what came and went of all samples,
    for each write and each removal ends here."""

    def __init__(self, start_ms: int = EVERYTHING_MS, *, seal_samples: int = SEAL_SAMPLES) -> None:
        self._seal_samples = seal_samples
        self._lock = threading.Lock()
        self._start_ms = start_ms
        self._blocks: tuple[Block, ...] = ()  # in order of arrival, so that of two samples the later stands
        self._pending: list[_Columns] = []
        self._pending_samples = 0
        self.changes = Changes()

    @property
    def start_ms(self) -> int:
        return self._start_ms

    @property
    def samples(self) -> int:
        return sum(map(len, self._blocks)) + self._pending_samples

    @property
    def size_bytes(self) -> int:
        return sum(block.size_bytes for block in self._blocks) + _BYTES_PER_PENDING * self._pending_samples

    def append(self, sid: Ids, ts: Ints, value: Floats) -> None:
        """Take samples that have just become durable."""
        with self._lock:
            self._pending.append((sid, ts, value))
            self._pending_samples += len(sid)
        self.changes.note(int(ts.min()))

    def pieces(self, ids: Ids, start_ms: int, end_ms: int) -> tuple[int, list[Piece]]:
        """Return from when on it answers, and what it has from then on, in order of arrival."""
        with self._lock:
            since, blocks, pending = self._start_ms, list(self._blocks), list(self._pending)
        if end_ms < since or not len(ids):
            return since, []
        newest = _wanted(pending, ids)
        found = [block.piece(ids, max(start_ms, since), end_ms) for block in (*blocks, *newest)]
        return since, [piece for piece in found if piece is not None]

    def seal(self) -> None:
        """Sort what is pending when it is much, and merge blocks so that they stay few."""
        if self._pending_samples >= self._seal_samples:
            pending = list(self._pending)
            block = Block.of(*_together(pending))
            with self._lock:
                self._blocks = (*self._blocks, block)
                del self._pending[: len(pending)]
                self._pending_samples -= sum(len(sid) for sid, _, _ in pending)
        while (run := self._mergeable()) is not None:
            merged = Block.merged(self._blocks[run])
            with self._lock:
                self._blocks = (*self._blocks[: run.start], merged, *self._blocks[run.stop :])

    def restore(self, start_ms: int, end_ms: int, columns: _Columns) -> bool:
        """Take all samples from `start_ms` up to where it began until now, `end_ms`. Return False when it does
        not begin there any more, as it had to give up some."""
        if self._start_ms != end_ms:
            return False
        block = Block.of(*columns) if len(columns[0]) else None
        with self._lock:
            if block is not None:
                self._blocks = (block, *self._blocks)
            self._start_ms = start_ms
        return True

    def shrink(self, size_bytes: int) -> None:
        """Give up the oldest blocks until it has no more than so many bytes."""
        kept, start_ms, size = list(self._blocks), self._start_ms, self.size_bytes
        while kept and size > size_bytes:
            oldest = min(kept, key=lambda block: block.last_ms)
            kept.remove(oldest)
            start_ms = max(start_ms, oldest.last_ms + 1)
            size -= oldest.size_bytes
        self._keep(kept, start_ms)

    def forget(self, before_ms: int) -> None:
        """Answer no longer for what is older than a time: it is gone from the database too."""
        kept = [block for block in self._blocks if block.last_ms >= before_ms]
        self._keep(kept, max(self._start_ms, before_ms))
        self.changes.note()

    def _keep(self, blocks: Sequence[Block], start_ms: int) -> None:
        with self._lock:
            self._blocks, self._start_ms = tuple(blocks), start_ms

    def _mergeable(self) -> slice | None:
        """Return a run of neighbours of about one size that is due to become one block."""
        levels = [int(math.log(max(1, len(block) // self._seal_samples), FAN)) for block in self._blocks]
        for start in range(len(levels) - FAN + 1):
            run = slice(start, start + FAN)
            if len(set(levels[run])) == 1 and levels[start] < MAX_MERGES:
                return run
        return None


def _wanted(pending: Sequence[_Columns], ids: Ids) -> list[Block]:
    """Return the pending samples of some series as a block; none when there are none."""
    if not pending:
        return []
    sid, ts, value = _together(pending)
    wanted = np.zeros(max(int(ids[-1]), int(sid.max())) + 1, dtype=np.bool_)
    wanted[ids] = True
    chosen = wanted[sid]
    return [Block.of(sid[chosen], ts[chosen], value[chosen])] if chosen.any() else []


def _together(pending: Sequence[_Columns]) -> _Columns:
    sid, ts, value = (np.concatenate(parts) for parts in zip(*pending, strict=True))
    return sid, ts, value
