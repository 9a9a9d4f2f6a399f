"""Loki's JSON for query results: streams, vectors, matrices and the summary of what a query cost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from awf.embedded.logql.frame import label_set
from awf.embedded.logql.results import LogEntry, Matrix, Result, Scalar, Streams, Vector
from awf.embedded.logql.scan import QueryStats

CATEGORIZE_LABELS: Final = "categorize-labels"


def query_data(result: Result, *, elapsed_s: float, categorize: bool) -> dict[str, Any]:
    """Return `data` of query and query_range. With `categorize` a stream has its index labels only, and
    each value a third element with its other labels; without it all labels are merged into the stream."""
    kind, rows = _rows(result, categorize=categorize)
    flags = {"encodingFlags": [CATEGORIZE_LABELS]} if categorize else {}
    count = len(result.entries) if isinstance(result, Streams) else len(rows)
    stats = {"summary": summary(result.stats, elapsed_s=elapsed_s, returned=count)}
    return {"resultType": kind, "result": rows, **flags, "stats": stats}


def summary(stats: QueryStats, *, elapsed_s: float = 0.0, returned: int = 0) -> dict[str, Any]:
    return {
        "bytesProcessedPerSecond": int(stats.bytes / elapsed_s) if elapsed_s > 0 else 0,
        "linesProcessedPerSecond": int(stats.lines / elapsed_s) if elapsed_s > 0 else 0,
        "totalBytesProcessed": stats.bytes,
        "totalLinesProcessed": stats.lines,
        "execTime": round(elapsed_s, 6),
        "queueTime": 0,
        "subqueries": 0,
        "totalEntriesReturned": returned,
        "splits": 0,
        "shards": 0,
    }


def format_value(value: float) -> str:
    """Write a sample as Go's 'f' format does: shortest digits and never an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")


def seconds(timestamp_ns: int) -> float | int:
    """Return seconds with milliseconds, whole where they are."""
    whole, rest = divmod(timestamp_ns // 1_000_000, 1_000)
    return whole + rest / 1_000 if rest else whole


def _rows(result: Result, *, categorize: bool) -> tuple[str, list[Any]]:
    match result:
        case Streams():
            return "streams", streams(result.entries, categorize=categorize)
        case Vector():
            return "vector", [
                {
                    "metric": sample.labels,
                    "value": [seconds(sample.timestamp_ns), format_value(sample.value)],
                }
                for sample in result.samples
            ]
        case Matrix():
            return "matrix", [
                {"metric": series.labels, "values": _points(series.timestamps_ns, series.values)}
                for series in result.series
            ]
        case Scalar():
            return "scalar", [seconds(result.timestamp_ns), format_value(result.value)]


def _points(times: Any, values: Any) -> list[list[Any]]:
    return [
        [seconds(time), format_value(value)]
        for time, value in zip(times.tolist(), values.tolist(), strict=True)
    ]


def streams(entries: Iterable[LogEntry], *, categorize: bool) -> list[dict[str, Any]]:
    """Return entries grouped by stream."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for entry in entries:
        labels = entry.stream if categorize else entry.labels
        stream = found.setdefault(label_set(labels), {"stream": labels, "values": []})
        value: list[Any] = [str(entry.timestamp_ns), entry.line]
        if categorize:
            extra = {"structuredMetadata": entry.metadata, "parsed": entry.parsed}
            value.append({name: labels for name, labels in extra.items() if labels})
        stream["values"].append(value)
    return [found[key] for key in sorted(found)]
