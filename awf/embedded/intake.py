"""What decoding a request yields: rows for the store, and what was refused and why, one entry at a time."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

import numpy as np

from awf.embedded.blocks import LogBlock, SpanBlock
from awf.embedded.model import Exemplar, KeyTable, MetricMetadata, Samples

Item = TypeVar("Item")

MAX_AHEAD_NS = 600 * 10**9
MAX_REASONS = 5
MAX_LABELS = 128
MAX_LABEL_BYTES = 16 * 1024
"""Of one series: its names and values together. Mimir's default is 30 labels of 2 KiB."""


@dataclass(slots=True)
class Intake:
    """Rows of one request that came in at `now_ns`; `refused` counts entries that were left out.

    What is older than `oldest_ns` would be dropped by retention at once, and is refused.
    """

    now_ns: int
    oldest_ns: int = 0
    table: KeyTable = field(default_factory=KeyTable)
    series: array[int] = field(default_factory=lambda: array("I"))
    timestamps_ms: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    metadata: dict[str, MetricMetadata] = field(default_factory=dict)
    exemplars: list[Exemplar] = field(default_factory=list)
    logs: LogBlock = field(default_factory=LogBlock)
    spans: SpanBlock = field(default_factory=SpanBlock)
    refused: int = 0
    reasons: dict[str, None] = field(default_factory=dict)

    @property
    def samples(self) -> Samples:
        return Samples(
            self.table,
            np.array(self.series, dtype=np.uint32),
            np.array(self.timestamps_ms, dtype=np.int64),
            np.array(self.values, dtype=np.float64),
        )

    def add(self, series: int, timestamp_ms: int, value: float) -> None:
        """Add a sample of a series, which is told by its number in `table`."""
        self.series.append(series)
        self.timestamps_ms.append(timestamp_ms)
        self.values.append(value)

    def extend(self, series: Sequence[int], timestamps_ms: Sequence[int], values: Sequence[float]) -> None:
        """Add one sample to each of several series."""
        self.series.extend(series)
        self.timestamps_ms.extend(timestamps_ms)
        self.values.extend(values)

    def refuse(self, reason: str, count: int = 1) -> None:
        """Leave out `count` entries; a reason is told once."""
        self.refused += count
        if len(self.reasons) < MAX_REASONS:
            self.reasons[reason] = None

    def has_time(self, timestamp_ns: int) -> bool:
        return self.oldest_ns <= timestamp_ns <= self.now_ns + MAX_AHEAD_NS and timestamp_ns > 0

    def takes_time(self, timestamp_ns: int, what: str) -> bool:
        """Refuse an entry without a time, too far ahead (as Loki and Mimir do), or too old to be kept."""
        if self.has_time(timestamp_ns):
            return True
        if timestamp_ns <= 0:
            self.refuse(f"{what} has no time" if timestamp_ns == 0 else f"{what} is from before 1970")
        elif timestamp_ns < self.oldest_ns:
            self.refuse(f"{what} is older than what is kept")
        else:
            self.refuse(f"{what} is more than 10 minutes ahead")
        return False

    @property
    def message(self) -> str:
        return "; ".join(self.reasons)


def add_together(
    items: Sequence[Item], add_all: Callable[[Sequence[Item]], bool], add_one: Callable[[Item], None]
) -> None:
    """Add items at once; where `add_all` returns False, and did nothing, their halves, and single ones by `add_one`.

    Few of many are new or odd, so that halves find them soon.
    """
    if not items or add_all(items):
        return
    if len(items) == 1:
        add_one(items[0])
        return
    middle = len(items) // 2
    add_together(items[:middle], add_all, add_one)
    add_together(items[middle:], add_all, add_one)


def excess(labels: Iterable[tuple[str, str]], what: str) -> str:
    """Return why a label set is too large for the store, empty when it is not."""
    pairs = list(labels)
    if len(pairs) > MAX_LABELS:
        return f"{what} has {len(pairs)} labels, over the limit of {MAX_LABELS}"
    size = len("".join(chain.from_iterable(pairs)).encode())
    if size > MAX_LABEL_BYTES:
        return f"the labels of {what} have {size} bytes, over the limit of {MAX_LABEL_BYTES}"
    return ""
