"""Label sets and their ids, held in memory and found by matchers. Serves series and log streams alike."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from awf.embedded.model import LabelKey, Matcher, MatchOp


class LabelIndex:
    """One thread writes, any thread reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[LabelKey, int] = {}
        self._labels: dict[int, Mapping[str, str]] = {}
        self._postings: dict[str, dict[str, set[int]]] = {}
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def next_id(self) -> int:
        return self._next_id

    def id_of(self, key: LabelKey) -> int | None:
        return self._ids.get(key)

    def labels(self, label_id: int) -> Mapping[str, str] | None:
        """Return the labels of an id; None when retention has just removed it."""
        return self._labels.get(label_id)

    def add(self, items: Iterable[tuple[int, LabelKey]]) -> None:
        with self._lock:
            for label_id, key in items:
                self._ids[key] = label_id
                self._labels[label_id] = dict(sorted(key))
                self._next_id = max(self._next_id, label_id + 1)
                for name, value in key:
                    self._postings.setdefault(name, {}).setdefault(value, set()).add(label_id)

    def remove(self, label_ids: Iterable[int]) -> None:
        with self._lock:
            for label_id in label_ids:
                labels = self._labels.pop(label_id)
                del self._ids[frozenset(labels.items())]
                for name, value in labels.items():
                    having = self._postings[name][value]
                    having.discard(label_id)
                    if not having:
                        del self._postings[name][value]

    def find(self, matchers: Sequence[Matcher]) -> list[int]:
        """Return the ids that every matcher accepts, ascending."""
        with self._lock:
            kept: set[int] | None = None
            dropped: set[int] = set()
            for matcher in matchers:
                if matcher.matches(""):
                    dropped |= self._with_value(matcher, wanted=False)
                else:
                    having = self._with_value(matcher, wanted=True)
                    kept = having if kept is None else kept & having
            return sorted((set(self._labels) if kept is None else kept) - dropped)

    def _with_value(self, matcher: Matcher, *, wanted: bool) -> set[int]:
        """Return the ids whose value of the matcher's label it accepts (or, unwanted, does not)."""
        values = self._postings.get(matcher.name, {})
        if wanted and matcher.op is MatchOp.EQUAL:
            return set(values.get(matcher.value, ()))
        return set().union(*(ids for value, ids in values.items() if matcher.matches(value) is wanted))
