"""Ids of series by the numbers that their senders gave them: a known series costs no look at its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from awf.embedded.model import KeyTable, LabelKey, Samples

Ids = NDArray[np.uint32]
LookUp = Callable[[Sequence[LabelKey]], Sequence[int]]

NO_ID = 2**32 - 1


class KnownIds:
    """Remembers a table as long as its sender keeps it. For one thread."""

    def __init__(self) -> None:
        self._ids: WeakKeyDictionary[KeyTable, Ids] = WeakKeyDictionary()

    def of(self, samples: Samples, look_up: LookUp, next_id: int) -> Ids:
        """Return the id of each sample, NO_ID where `look_up` has none. It is asked once for each series that is not
        known yet; an id from `next_id` on is not remembered, as its commit may fail."""
        known = self._of(samples.table)
        ids = known[samples.series]
        missing = np.unique(samples.series[ids == NO_ID])
        if len(missing):
            found = np.array(look_up([samples.table[number] for number in missing.tolist()]), dtype=np.uint32)
            known[missing] = found
            ids = known[samples.series]
            known[missing[found >= next_id]] = NO_ID
        return ids

    def forget(self) -> None:
        """Look up everything again."""
        self._ids.clear()

    def _of(self, table: KeyTable) -> Ids:
        known, size = self._ids.get(table, np.empty(0, dtype=np.uint32)), len(table)
        if len(known) < size:
            added = np.full(size - len(known), NO_ID, dtype=np.uint32)
            known = self._ids[table] = np.concatenate([known, added])
        return known
