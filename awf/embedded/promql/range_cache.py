"""Results of range queries, kept so that a window which moves on is evaluated only where it is new, or where something
was written. Mimir's query frontend does the same for what is older than some minutes; this is exact at any age."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from awf.embedded.changes import Changes
from awf.embedded.promql.notes import Notes
from awf.embedded.promql.values import Ints, Vector, key

MAX_BYTES = 64 << 20
_BYTES_OF_ROW = 200  # of its labels, beyond what they share
_BYTES_OF_ENTRY = 1_000

Evaluate = Callable[[int, int, Notes], Vector]
"""Evaluates from a time to a time, both on the grid; what is to be said about it goes to the notes."""


@dataclass(frozen=True, slots=True)
class Window:
    """The times of a range query."""

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def steps(self) -> int:
        return (self.end_ms - self.start_ms) // self.step_ms + 1

    @property
    def last_ms(self) -> int:
        return self.start_ms + (self.steps - 1) * self.step_ms

    @property
    def times(self) -> Ints:
        return np.arange(self.start_ms, self.end_ms + 1, self.step_ms, dtype=np.int64)

    @property
    def grid(self) -> tuple[int, int, int]:
        """What windows have in common that are one window at different times."""
        return self.step_ms, self.start_ms % self.step_ms, self.steps


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A result as it was at a version of the data."""

    version: int
    query: str
    window: Window
    vector: Vector

    @property
    def size_bytes(self) -> int:
        cells = self.vector.values.nbytes + self.vector.present.nbytes
        return cells + _BYTES_OF_ROW * len(self.vector) + len(self.query) + _BYTES_OF_ENTRY

    def part(self, start_ms: int, last_ms: int) -> Vector:
        """Return the columns of some times."""
        first, last = (
            (moment - self.window.start_ms) // self.window.step_ms for moment in (start_ms, last_ms)
        )
        columns = slice(first, last + 1)
        return Vector(self.vector.labels, self.vector.values[:, columns], self.vector.present[:, columns])


class RangeCache:
    """The newest result of each query whose values at a time depend on samples up to that time alone (see
    `reach.is_pointwise`); the least used go first. Safe from several threads."""

    def __init__(self, changes: Changes, *, max_bytes: int = MAX_BYTES) -> None:
        self._changes = changes
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, _Kept] = OrderedDict()

    def vector(self, query: str, window: Window, evaluate: Evaluate, notes: Notes) -> Vector:
        """Return what `evaluate` returns for the whole window. A result with notes is not kept: they are about
        the window that they were made for."""
        version = self._changes.version
        question = (query, window.grid)
        kept = self._kept.get(question)
        last_ms = self._known_until(kept, window)
        if kept is None or last_ms < window.start_ms:
            vector = evaluate(window.start_ms, window.end_ms, notes)
        else:
            vector = kept.part(window.start_ms, last_ms)
            if last_ms < window.last_ms:
                about = Notes(query)
                vector = _joined(vector, evaluate(last_ms + window.step_ms, window.end_ms, about))
                if not about.is_empty:
                    return evaluate(window.start_ms, window.end_ms, notes)
            vector = vector.occupied()
        if notes.is_empty:
            self._keep(question, _Kept(version, query, window, vector))
        return vector

    def _known_until(self, kept: _Kept | None, window: Window) -> int:
        """Return the last time, from the window's start on, whose value is kept; one before the start for none."""
        none = window.start_ms - window.step_ms
        if kept is None or kept.window.start_ms > window.start_ms:
            return none
        oldest_ms = self._changes.oldest_since(kept.version)
        before = -(-(oldest_ms - window.start_ms) // window.step_ms) - 1  # the last step before that
        return min(window.start_ms + before * window.step_ms, kept.window.last_ms, window.last_ms)

    def _keep(self, question: object, made: _Kept) -> None:
        with self._lock:
            before = self._kept.get(question)
            if before is not None:
                if before.version > made.version or before.window.start_ms > made.window.start_ms:
                    return  # who asked for it will move on from there
                self._drop(question)
            self._kept[question] = made
            self._bytes += made.size_bytes
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, question: object) -> None:
        self._bytes -= self._kept.pop(question).size_bytes


def _joined(old: Vector, new: Vector) -> Vector:
    """Return both, one after the other in time: series by series where they have the same labels."""
    if old.labels == new.labels:
        return Vector(
            old.labels,
            np.concatenate([old.values, new.values], axis=1),
            np.concatenate([old.present, new.present], axis=1),
        )
    rows = {key(labels): row for row, labels in enumerate(old.labels)}
    labels = list(old.labels)
    places = []
    for item in new.labels:
        row = rows.setdefault(key(item), len(labels))
        if row == len(labels):
            labels.append(item)
        places.append(row)
    before = old.values.shape[1]
    values = np.zeros((len(labels), before + new.values.shape[1]))
    present = np.zeros(values.shape, dtype=bool)
    values[: len(old), :before], present[: len(old), :before] = old.values, old.present
    values[places, before:], present[places, before:] = new.values, new.present
    return Vector(labels, values, present)
