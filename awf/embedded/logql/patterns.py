"""Log patterns in the manner of Drain: mask what varies, cluster lines by length and likeness.

Not for exact counts of exact templates: clusters depend on the order in which lines come.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

WILDCARD: Final = "<_>"
MAX_TOKENS: Final = 80
MAX_CLUSTERS: Final = 300
_SIMILARITY: Final = 0.5
_MASKS: Final = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"  # uuid
    r"|\b0x[0-9a-f]+\b"
    r"|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"  # hex, such as trace ids
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?<![A-Za-z_])-?\d+(?:[.:,]\d+)*(?:ns|us|µs|ms|s|m|h|%|[KMGT]?i?B)?(?!\w)",
    re.IGNORECASE,
)
_JOINED: Final = re.compile(rf"{WILDCARD}(?:[-.:,/]?{WILDCARD})+")


@dataclass(slots=True)
class Cluster:
    """Lines alike: the template's tokens, and how many lines fell into each bucket of time."""

    tokens: list[str]
    level: str
    samples: Counter[int] = field(default_factory=Counter)

    @property
    def pattern(self) -> str:
        return " ".join(self.tokens)

    def similarity(self, tokens: list[str]) -> float:
        same = sum(a == b for a, b in zip(self.tokens, tokens, strict=True))
        return same / len(tokens)

    def absorb(self, tokens: list[str]) -> None:
        self.tokens = [a if a == b else WILDCARD for a, b in zip(self.tokens, tokens, strict=True)]


def mask(line: str) -> list[str]:
    """Return the tokens of a line with numbers, ids and times masked."""
    masked = _JOINED.sub(WILDCARD, _MASKS.sub(WILDCARD, line))
    tokens = masked.split()
    return tokens if len(tokens) <= MAX_TOKENS else [*tokens[:MAX_TOKENS], WILDCARD]


def mine(lines: Iterable[tuple[int, str, Mapping[str, str]]], step_ns: int) -> list[Cluster]:
    """Cluster (timestamp_ns, line, stream labels); buckets start at multiples of the step.

    Clusters come by falling number of lines. Once there are MAX_CLUSTERS, unlike lines are left out.
    """
    groups: dict[tuple[str, int, str], list[Cluster]] = {}
    total = 0
    for timestamp_ns, line, labels in lines:
        tokens = mask(line)
        if not tokens:
            continue
        level = labels.get("level", labels.get("detected_level", ""))
        candidates = groups.setdefault((level, len(tokens), _lead(tokens)), [])
        best = max(candidates, key=lambda cluster: cluster.similarity(tokens), default=None)
        if best is None or best.similarity(tokens) < _SIMILARITY:
            if total >= MAX_CLUSTERS:
                continue
            best = Cluster(tokens, level)
            candidates.append(best)
            total += 1
        best.absorb(tokens)
        best.samples[timestamp_ns // step_ns * step_ns] += 1
    found = [cluster for clusters in groups.values() for cluster in clusters]
    return sorted(found, key=lambda cluster: (-cluster.samples.total(), cluster.pattern))


def _lead(tokens: list[str]) -> str:
    """The first word tells events apart; one that varies does not."""
    return WILDCARD if WILDCARD in tokens[0] else tokens[0]
