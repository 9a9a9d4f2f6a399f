"""Short ways to write remote write requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cramjam

from awf.embedded.remote_write.wire import Label, TimeSeries, WriteRequest

NOW_NS = 1_795_000_000 * 10**9
NOW_MS = NOW_NS // 10**6

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]


def series_of(pairs: Pairs, *samples: tuple[int, float]) -> Any:
    series = TimeSeries()
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        series.labels.append(Label(name=name, value=value).SerializeToString())
    for timestamp, value in samples:
        series.samples.add(timestamp=timestamp, value=value)
    return series


def request(*series: Any) -> Any:
    """Return a message of series, or of labels with one value of now."""
    message = WriteRequest()
    for each in series:
        made = series_of(each[0], (NOW_MS, each[1])) if isinstance(each, tuple) else each
        message.timeseries.append(made.SerializeToString())
    return message


def pack(message: Any) -> bytes:
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))
