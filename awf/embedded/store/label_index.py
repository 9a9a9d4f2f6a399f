"""Label sets and their ids, held in memory and found by matchers. Serves series and log streams alike."""

from __future__ import annotations

import sys
import threading
from array import array
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from awf.embedded.model import LabelKey, Matcher, MatchOp

Ids = NDArray[np.uint32]

# Measured: entries of the dictionaries, and for a pair its tuple and an array of ids.
_BYTES_PER_SET = 120
_BYTES_PER_PAIR = 400
_MAX_FOUND, _MAX_FOUND_IDS = 1_000, 2_000_000  # kept answers to matchers, and ids in them


class LabelIndex:
    """One thread writes, any thread reads. Ids only grow, so that postings stay sorted by appending."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[LabelKey, int] = {}
        self._labels: list[Mapping[str, str] | None] = []
        self._pairs: dict[tuple[str, str], tuple[tuple[str, str], array[int]]] = {}  # with their postings
        self._postings: dict[str, dict[str, array[int]]] = {}
        self._bytes = 0
        self._found: dict[tuple[Matcher, ...], Ids] = {}  # until label sets come or go

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def next_id(self) -> int:
        return len(self._labels)

    @property
    def size_bytes(self) -> int:
        """About what it takes of memory."""
        return self._bytes

    def ids_of(self, keys: Iterable[LabelKey]) -> list[int | None]:
        """Return the id of each key, None where it has none."""
        return list(map(self._ids.get, keys))

    def labels(self, label_id: int) -> Mapping[str, str] | None:
        """Return the labels of an id; None when retention has just removed it."""
        return self._labels[label_id] if label_id < len(self._labels) else None

    def labels_of(self, label_ids: Ids) -> list[Mapping[str, str] | None]:
        """Return the labels of ids that were found."""
        return list(map(self._labels.__getitem__, label_ids.tolist()))

    def add(self, items: Iterable[tuple[int, LabelKey]]) -> None:
        """Take in label sets, by ascending id."""
        with self._lock:
            for label_id, key in items:
                self._found.clear()
                # A series shares its names, values and pairs with others: this is half of what it costs.
                pairs = list(map(self._shared, key))
                shared = frozenset(pair for pair, _ in pairs)
                self._ids[shared] = label_id
                self._labels += [None] * (label_id - len(self._labels))
                labels = dict(sorted(shared))
                self._labels.append(labels)
                self._bytes += _bytes(shared, labels)
                for _, posting in pairs:
                    posting.append(label_id)

    def remove(self, label_ids: Iterable[int]) -> None:
        with self._lock:
            self._found.clear()
            gone: dict[tuple[str, str], set[int]] = {}
            for label_id in label_ids:
                labels = self._labels[label_id] or {}
                self._labels[label_id] = None
                key = frozenset(labels.items())
                self._ids.pop(key, None)
                self._bytes -= _bytes(key, labels)
                for pair in labels.items():
                    gone.setdefault(pair, set()).add(label_id)
            for (name, value), ids in gone.items():
                kept = array("I", (each for each in self._postings[name][value] if each not in ids))
                if kept:
                    self._postings[name][value] = kept
                    self._pairs[name, value] = self._pairs[name, value][0], kept
                else:
                    del self._postings[name][value]
                    self._pairs.pop((name, value), None)
                    self._bytes -= _BYTES_PER_PAIR + sys.getsizeof(value)

    def find(self, matchers: Sequence[Matcher]) -> list[int]:
        """Return the ids that every matcher accepts, ascending."""
        found: list[int] = self.ids(matchers).tolist()
        return found

    def ids(self, matchers: Sequence[Matcher]) -> Ids:
        """Return the ids that every matcher accepts, ascending, as an array."""
        question = tuple(matchers)
        with self._lock:
            found = self._found.get(question)
            if found is None:
                found = self._accepted(question)
                found.flags.writeable = False
                if len(self._found) >= _MAX_FOUND or sum(map(len, self._found.values())) > _MAX_FOUND_IDS:
                    self._found.clear()
                self._found[question] = found
            return found

    def _accepted(self, matchers: Sequence[Matcher]) -> Ids:
        kept = np.full(self.next_id, True)
        for matcher in matchers:
            wanted = not matcher.matches("")
            having = np.full(self.next_id, not wanted)
            for posting in self._with_value(matcher, wanted=wanted):
                having[np.array(posting)] = wanted
            kept &= having
        if len(self._ids) < len(self._labels):
            kept &= np.array([labels is not None for labels in self._labels])
        return np.flatnonzero(kept).astype(np.uint32)

    def _with_value(self, matcher: Matcher, *, wanted: bool) -> Iterable[array[int]]:
        """Return the ids whose value of the matcher's label it accepts (or, unwanted, does not), by value."""
        values = self._postings.get(matcher.name, {})
        if matcher.op in (MatchOp.EQUAL, MatchOp.NOT_EQUAL) and matcher.value:
            return (values[matcher.value],) if matcher.value in values else ()
        return (ids for value, ids in values.items() if matcher.matches(value) is wanted)

    def _shared(self, pair: tuple[str, str]) -> tuple[tuple[str, str], array[int]]:
        found = self._pairs.get(pair)
        if found is None:
            name, value = pair
            pair = (sys.intern(name), value)
            posting = self._postings.setdefault(pair[0], {})[value] = array("I")
            found = self._pairs[pair] = pair, posting
            self._bytes += _BYTES_PER_PAIR + sys.getsizeof(value)
        return found


def _bytes(key: LabelKey, labels: Mapping[str, str]) -> int:
    return sys.getsizeof(key) + sys.getsizeof(labels) + _BYTES_PER_SET + 4 * len(key)
