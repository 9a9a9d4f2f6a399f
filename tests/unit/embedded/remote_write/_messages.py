"""Short ways to write remote write requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cramjam

from awf.embedded.remote_write.wire import Label, WriteRequest

NOW_NS = 1_795_000_000 * 10**9
NOW_MS = NOW_NS // 10**6

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]


def add_series(request: Any, pairs: Pairs, *samples: tuple[int, float]) -> Any:
    series = request.timeseries.add()
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        series.labels.append(Label(name=name, value=value).SerializeToString())
    for timestamp, value in samples:
        series.samples.add(timestamp=timestamp, value=value)
    return series


def request(*series: tuple[Pairs, float]) -> Any:
    """Return a message with one sample of now for each series."""
    message = WriteRequest()
    for pairs, value in series:
        add_series(message, pairs, (NOW_MS, value))
    return message


def pack(message: Any) -> bytes:
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))
