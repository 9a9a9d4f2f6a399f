"""What a query would read, counted before it reads: refusing afterwards would have spent the memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from awf.errors import QueryLimit

MAX_SAMPLES = 20_000_000
_DENSEST_MS = 1_000


def check_samples(series: int, start_ms: int, end_ms: int, count: Callable[[], int]) -> None:
    """Raise QueryLimit for a read of more than MAX_SAMPLES samples. `count` costs a query itself: it is
    called only where one sample a second in every series would be too many."""
    span_ms = end_ms - start_ms
    if series * (span_ms // _DENSEST_MS + 1) <= MAX_SAMPLES:
        return
    samples = count()
    if samples > MAX_SAMPLES:
        raise QueryLimit(
            f"the query would read about {samples:,} samples of {series:,} series over "
            f"{timedelta(milliseconds=span_ms)}, more than {MAX_SAMPLES:,}",
            hint="Narrow the time range, add matchers, or query a recording rule that has the sum already.",
        )
