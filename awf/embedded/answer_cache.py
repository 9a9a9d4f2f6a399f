"""Answers that are kept until something is written that would change them: equal dashboards ask equal questions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from awf.embedded.changes import Changes

MAX_BYTES = 32 << 20
_BYTES_OF_ENTRY = 500  # of what holds a question and its answer


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    version: int
    until_ms: int
    size_bytes: int


class AnswerCache:
    """Bodies of answers by their questions; the least used go first. Safe from several threads."""

    def __init__(self, changes: Changes, *, max_bytes: int = MAX_BYTES) -> None:
        self.changes = changes
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def answer(self, question: Hashable, make: Callable[[], tuple[bytes, int | None]]) -> bytes:
        """Return the answer that is kept, or that `make` returns, which also says until which time it depends on
        what is written; None: do not keep it."""
        kept = self.get(question)
        if kept is not None:
            return kept
        version = self.changes.version
        body, until_ms = make()
        if until_ms is not None:
            self.keep(question, body, version=version, until_ms=until_ms)
        return body

    def get(self, question: Hashable) -> bytes | None:
        """Return the answer that evaluating the question now would give, None when it is not known."""
        found = self._kept.get(question)
        if found is None or self.changes.oldest_since(found.version) <= found.until_ms:
            return None
        with self._lock:
            if question in self._kept:
                self._kept.move_to_end(question)
        return found.body

    def keep(self, question: Hashable, body: bytes, *, version: int, until_ms: int) -> None:
        """Remember an answer. `version` is the one before its data was read; nothing in it is younger than
        `until_ms`."""
        size = len(body) + len(repr(question)) + _BYTES_OF_ENTRY
        with self._lock:
            self._drop(question)
            self._kept[question] = _Kept(body, version, until_ms, size)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, question: Hashable) -> None:
        gone = self._kept.pop(question, None)
        if gone is not None:
            self._bytes -= gone.size_bytes
