"""Histogram and summary points to classic series: `_bucket`, `_sum`, `_count`, and their exemplars."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Any

from awf.embedded.intake import Intake
from awf.embedded.otlp.exemplars import exemplars, number
from awf.embedded.otlp.series import Family, HistogramSeries

MAX_PARTS = 1_000
"""Buckets or quantiles of one point."""


def add_histogram(intake: Intake, family: Family, point: Any, timestamp_ms: int) -> None:
    """Add one point's cumulated buckets, sum and count."""
    bounds = tuple(point.explicit_bounds)
    counts = point.bucket_counts
    if len(counts) not in {0, len(bounds) + 1}:
        intake.refuse(f"metric {family.name!r}: {len(counts)} buckets for {len(bounds)} bounds")
        return
    if not counts:
        bounds = ()  # only sum and count were recorded
    series = _series(intake, family, point, "le", (*bounds, float("inf")))
    if series is None:
        return
    values = list(accumulate(counts))
    values[-1:] = [point.count]
    numbers = [*series.parts]
    if point.HasField("sum"):
        numbers.append(series.sum)
        values.append(point.sum)
    numbers.append(series.count)
    intake.extend(numbers, [timestamp_ms] * len(numbers), [*values, point.count])
    for exemplar in point.exemplars:
        bucket = series.parts[bisect_left(bounds, number(exemplar))]
        intake.exemplars += exemplars(intake, bucket, [exemplar])


def add_summary(intake: Intake, family: Family, point: Any, timestamp_ms: int) -> None:
    """Add one point's quantiles, sum and count."""
    quantiles = tuple(item.quantile for item in point.quantile_values)
    series = _series(intake, family, point, "quantile", quantiles)
    if series is not None:
        values = [item.value for item in point.quantile_values]
        numbers = [*series.parts, series.sum, series.count]
        intake.extend(numbers, [timestamp_ms] * len(numbers), [*values, point.sum, point.count])


def _series(
    intake: Intake, family: Family, point: Any, label: str, values: tuple[float, ...]
) -> HistogramSeries | None:
    if len(values) > MAX_PARTS:
        intake.refuse(
            f"metric {family.name!r}: a point of {len(values)} parts, over the limit of {MAX_PARTS}"
        )
        return None
    return family.parts(intake, tuple(point.attributes), label, values)
