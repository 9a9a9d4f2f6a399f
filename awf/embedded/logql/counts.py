"""Counting lines and bytes without looking at one: the store counts by bucket where the pipeline allows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import gcd
from typing import Final

import numpy as np

from awf.embedded.contracts import LogReader
from awf.embedded.logql import nodes
from awf.embedded.logql.entry import COLLISION_SUFFIX, ERROR, ERROR_DETAILS
from awf.embedded.logql.frame import LabelSet, label_set
from awf.embedded.logql.pushdown import is_plain, pushed
from awf.embedded.logql.samples import Series, WindowEnds, check_series, hints_of
from awf.embedded.logql.scan import QueryStats
from awf.embedded.model import LogCount

MAX_BUCKETS: Final = 50_000
SUMS: Final = {
    "count_over_time": "bytes_over_time", "rate": "bytes_rate", "absent_over_time": "absent_over_time",
    "bytes_over_time": "bytes_over_time", "bytes_rate": "bytes_rate",
}  # fmt: skip
"""Range aggregations that can be counted, and those that add up the counts."""


def count_series(
    reader: LogReader,
    node: nodes.RangeAggregation,
    grouping: nodes.Grouping | None,
    ends: WindowEnds,
    stats: QueryStats,
) -> list[Series] | None:
    """Return a series of counts at the ends of buckets, or None when the entries themselves are needed.

    Every window is a whole number of buckets, so that the sum of `SUMS` over them is exact.
    """
    log_range = node.range
    down = pushed(log_range.query.stages, hints_of(log_range, grouping))
    names = () if grouping is None else grouping.names
    if node.op not in SUMS or log_range.unwrap is not None or not down.complete:
        return None
    width = gcd(ends.step_ns, log_range.range_ns)
    start = ends.first_ns - log_range.range_ns
    is_by = grouping is not None and not grouping.without
    if (ends.last_ns - start) // width > MAX_BUCKETS or not all(map(_is_countable, names)):
        return None
    counts = reader.log_counts(
        log_range.query.matchers, start + 1, ends.last_ns + 1,
        where=down.where, bucket_ns=width, by=[name for name in names if is_plain(name)] if is_by else None,
    )  # fmt: skip
    stats.lines += sum(count.entries for count in counts)
    stats.bytes += sum(count.size_bytes for count in counts)
    totals: defaultdict[LabelSet, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    by_bytes = node.op.startswith("bytes")
    for count in counts:
        key = label_set(_by(count, names) if is_by else _without(count, names))
        totals[key][count.bucket] += count.size_bytes if by_bytes else count.entries
        check_series(len(totals))
    return [_series(labels, buckets, start, width) for labels, buckets in totals.items()]


def _is_countable(name: str) -> bool:
    return is_plain(name) or name in {ERROR, ERROR_DETAILS}


def _by(count: LogCount, names: Sequence[str]) -> Mapping[str, str]:
    found = {name: count.labels.get(name) or count.metadata.get(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _without(count: LogCount, names: Sequence[str]) -> Mapping[str, str]:
    labels = dict(count.labels)
    for name, value in count.metadata.items():
        labels[name + COLLISION_SUFFIX if name in count.labels else name] = value
    for name in names:
        labels.pop(name, None)
    return labels


def _series(labels: LabelSet, buckets: Mapping[int, int], start: int, width: int) -> Series:
    numbers = np.array(sorted(buckets), dtype=np.int64)
    values = np.array([buckets[number] for number in numbers.tolist()], dtype=np.float64)
    return Series(labels, start + (numbers + 1) * width, values)
