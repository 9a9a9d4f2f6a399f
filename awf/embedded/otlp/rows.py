"""What decoding yields: rows for the store, and what was refused and why."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from awf.embedded.model import Exemplar, LabelKey, LogRecord, MetricMetadata, Samples, Span

MAX_AHEAD_NS = 600 * 10**9
MAX_REASONS = 5


@dataclass(slots=True)
class Rows:
    """Rows of one request that came in at `now_ns`; `refused` counts entries that were left out."""

    now_ns: int
    keys: list[LabelKey] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    metadata: dict[str, MetricMetadata] = field(default_factory=dict)
    exemplars: list[Exemplar] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    refused: int = 0
    reasons: dict[str, None] = field(default_factory=dict)

    @property
    def samples(self) -> Samples:
        timestamps = np.array(self.timestamps_ms, dtype=np.int64)
        return Samples(self.keys, timestamps, np.array(self.values, dtype=np.float64))

    def add(self, key: LabelKey, timestamp_ms: int, value: float) -> None:
        self.keys.append(key)
        self.timestamps_ms.append(timestamp_ms)
        self.values.append(value)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Leave out `count` entries; a reason is told once."""
        self.refused += count
        if len(self.reasons) < MAX_REASONS:
            self.reasons[reason] = None

    def takes_time(self, timestamp_ns: int, what: str) -> bool:
        """Refuse an entry without a time, or too far ahead (as Loki and Mimir do)."""
        if 0 < timestamp_ns <= self.now_ns + MAX_AHEAD_NS:
            return True
        self.refuse(f"{what} has no time" if timestamp_ns == 0 else f"{what} is more than 10 minutes ahead")
        return False

    @property
    def message(self) -> str:
        return "; ".join(self.reasons)
