"""What kinds of lines a log has, and which kinds are new: a small Drain over masked tokens.

After He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree" (ICWS 2017), without the tree:
windows here have hundreds of lines, not millions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ANY = "<*>"
SIMILAR = 0.6
MAX_TOKENS, MAX_PATTERNS = 60, 500

_MASKS = (
    re.compile(r'"[^"\n]{0,500}"|\'[^\'\n]{0,500}\''),
    re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
    re.compile(r"\b(?:0x)?(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"),
    re.compile(r"(?<![\w-])[-+]?\d+(?:\.\d+)*(?:[eE][-+]?\d+)?"),
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of line: its text with the varying parts as `<*>`, how many lines, and one of them."""

    text: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class PatternChange:
    """A kind of line in two windows; `before` and `after` are counts."""

    text: str
    before: int
    after: int
    example: str

    @property
    def is_new(self) -> bool:
        return self.before == 0


def mask(line: str) -> str:
    """Replace quoted strings, UUIDs, hexadecimal ids and numbers by `<*>`."""
    for expression in _MASKS:
        line = expression.sub(ANY, line)
    return line


@dataclass(slots=True)
class _Cluster:
    tokens: list[str]
    example: str
    count: int = 0

    def similarity(self, tokens: Sequence[str]) -> float:
        return sum(a == b for a, b in zip(self.tokens, tokens, strict=True)) / len(tokens)

    def take(self, tokens: Sequence[str]) -> None:
        self.tokens = [a if a == b else ANY for a, b in zip(self.tokens, tokens, strict=True)]
        self.count += 1


class Clusters:
    """Patterns learned from lines; the same clusters may count a second window."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[_Cluster]] = {}
        self._size = 0

    def add(self, line: str) -> _Cluster | None:
        """Count a line; None when it is empty, or new while there are too many patterns already."""
        tokens = mask(line).split()[:MAX_TOKENS]
        if not tokens:
            return None
        group = self._by_length.setdefault(len(tokens), [])
        best = max(group, key=lambda each: each.similarity(tokens), default=None)
        if best is None or best.similarity(tokens) < SIMILAR:
            if self._size == MAX_PATTERNS:
                return None
            best = _Cluster(tokens, line)
            group.append(best)
            self._size += 1
        best.take(tokens)
        return best

    def all(self) -> list[_Cluster]:
        return [cluster for group in self._by_length.values() for cluster in group]


def patterns(lines: Iterable[str]) -> list[Pattern]:
    """Return the kinds of lines, most frequent first."""
    clusters = Clusters()
    for line in lines:
        clusters.add(line)
    found = [Pattern(" ".join(each.tokens), each.count, each.example) for each in clusters.all()]
    return sorted(found, key=lambda each: (-each.count, each.text))


def changes(before: Iterable[str], after: Iterable[str], *, least_ratio: float = 3.0) -> list[PatternChange]:
    """Return the kinds of lines that are new in the second window or at least `least_ratio` times as many."""
    clusters = Clusters()
    for line in before:
        clusters.add(line)
    counts_before = {id(each): each.count for each in clusters.all()}
    examples: dict[int, str] = {}
    for line in after:
        cluster = clusters.add(line)
        if cluster is not None:
            examples.setdefault(id(cluster), line)
    found = []
    for each in clusters.all():
        old = counts_before.get(id(each), 0)
        new = each.count - old
        if new > 0 and new >= least_ratio * old:
            found.append(PatternChange(" ".join(each.tokens), old, new, examples[id(each)]))
    return sorted(found, key=lambda each: (-each.after, each.text))
