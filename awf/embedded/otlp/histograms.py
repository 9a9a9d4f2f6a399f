"""Histogram and summary points to classic series: `_bucket`, `_sum`, `_count`, and their exemplars."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate

from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from awf.embedded.model import Exemplar, key_of
from awf.embedded.otlp.rows import MAX_AHEAD_NS, Rows
from awf.embedded.otlp.values import attributes, decimal, labels


def add_histogram(
    rows: Rows, name: str, point: pb.HistogramDataPoint, own: Mapping[str, str], timestamp: int
) -> None:
    """Add one point's cumulated buckets, sum and count."""
    bounds = list(point.explicit_bounds)
    if len(point.bucket_counts) not in {0, len(bounds) + 1}:
        rows.refuse(f"metric {name!r}: {len(point.bucket_counts)} buckets for {len(bounds)} bounds")
        return
    if not point.bucket_counts:
        bounds = []  # only sum and count were recorded
    counts = [*accumulate(point.bucket_counts[:-1]), point.count]
    buckets = [
        {**own, "__name__": f"{name}_bucket", "le": decimal(bound)} for bound in [*bounds, float("inf")]
    ]
    for bucket, count in zip(buckets, counts, strict=True):
        rows.add(key_of(bucket), timestamp, float(count))
    if point.HasField("sum"):
        rows.add(key_of({**own, "__name__": f"{name}_sum"}), timestamp, point.sum)
    rows.add(key_of({**own, "__name__": f"{name}_count"}), timestamp, float(point.count))
    for exemplar in point.exemplars:
        bucket = buckets[bisect_left(bounds, number(exemplar))]
        rows.exemplars += exemplars(rows, bucket, [exemplar])


def add_summary(
    rows: Rows, name: str, point: pb.SummaryDataPoint, own: Mapping[str, str], timestamp: int
) -> None:
    """Add one point's quantiles, sum and count."""
    for item in point.quantile_values:
        series = {**own, "__name__": name, "quantile": decimal(item.quantile)}
        rows.add(key_of(series), timestamp, item.value)
    rows.add(key_of({**own, "__name__": f"{name}_sum"}), timestamp, point.sum)
    rows.add(key_of({**own, "__name__": f"{name}_count"}), timestamp, float(point.count))


def exemplars(rows: Rows, series: Mapping[str, str], items: Iterable[pb.Exemplar]) -> list[Exemplar]:
    """Return exemplars of one series; they carry `trace_id` and `span_id`."""
    result = []
    for item in items:
        if not 0 < item.time_unix_nano <= rows.now_ns + MAX_AHEAD_NS:
            continue
        own = labels(attributes(item.filtered_attributes))
        own |= {"trace_id": item.trace_id.hex()} if item.trace_id else {}
        own |= {"span_id": item.span_id.hex()} if item.span_id else {}
        result.append(Exemplar(series, own, number(item), item.time_unix_nano // 1_000_000))
    return result


def number(item: pb.NumberDataPoint | pb.Exemplar) -> float:
    """Return a point's value; an integer becomes a float, as every sample is one."""
    return float(item.as_int) if item.WhichOneof("value") == "as_int" else float(item.as_double)
