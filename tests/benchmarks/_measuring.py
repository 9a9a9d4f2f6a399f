"""Times alternatives in turns, so that a busy machine slows all of them, and prints how they compare."""

from __future__ import annotations

import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

Case = Callable[[], int]
"""Does some work and returns how many units of it."""


def seconds_per_unit(
    cases: Mapping[str, Case], *, rounds: int = 5, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Run every case once to warm up, then all of them round by round; returns each one's median."""
    for case in cases.values():
        case()
    found: dict[str, list[float]] = {name: [] for name in cases}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, case in cases.items():
                begin = clock()
                units = case()
                found[name].append((clock() - begin) / units)
            gc.collect()
    finally:
        gc.enable()
    return {name: statistics.median(times) for name, times in found.items()}


class Latencies:
    """Any number of durations in little memory: counted in buckets that are 1% wide."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0
        self.max = 0.0

    def add(self, seconds: float) -> None:
        bucket = int(math.log(seconds or 1e-9) * 100)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1
        self.max = max(self.max, seconds)

    def within(self, share: float) -> float:
        """Return the seconds that this share of the durations does not exceed, to 1%."""
        left = share * self._count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return min(math.exp((bucket + 1) / 100), self.max)
        return self.max


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, the first to the left, numbers to the right; as Markdown with `--markdown`."""
    if "--markdown" in sys.argv:
        _print_markdown(title, header, rows)
        return
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    print(f"\n{title}")
    for row in (header, ["-" * width for width in widths], *rows):
        first, *numbers = [
            f"{cell:>{width}}" if column else f"{cell:<{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join([first, *numbers]))


def _print_markdown(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n### {title}\n")
    for row in (header, ["---", *["---:"] * (len(header) - 1)], *rows):
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")


def compare(title: str, unit: str, found: Mapping[str, float], *, baseline: str, scale: float = 1e6) -> None:
    """Print seconds per unit, scaled, and each as a multiple of the baseline's."""
    rows = [
        [name, f"{value * scale:,.2f}", f"{value / found[baseline]:.2f} x"] for name, value in found.items()
    ]
    print_table(title, ["", unit, f"against {baseline}"], rows)
