"""Answers of the datasources in one form for the page: times once, values by series; cut where they are
more than a panel can show, and then said so."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any, Final

from awf.api.dashboards.board import member, objects
from awf.api.dashboards.queries import Query
from awf.core.types import Json

MAX_SERIES: Final = 200
MAX_POINTS: Final = 200_000
MAX_EXEMPLARS: Final = 300
EXEMPLAR_MOMENTS: Final = 60
MAX_LINE_CHARS: Final = 4_000
MAX_LABEL_CHARS: Final = 1_000


def read(query: Query, answer: Json) -> Json:
    """Return a query's answer for the page."""
    data = member(answer, "data")
    kind = data.get("resultType")
    if query.shape == "traces":
        return _traces(answer)
    if kind == "streams":
        return _lines(objects(data.get("result")), int(query.parameters.get("limit", 0)))
    if kind in ("scalar", "string"):
        return _matrix([{"metric": {}, "values": [data.get("result")]}], query)
    if kind == "vector":
        return _matrix(
            [{**each, "values": [each.get("value")]} for each in objects(data.get("result"))], query
        )
    if "series" in answer:  # Tempo's metrics
        return _matrix(list(map(_tempo_series, objects(answer.get("series")))), query)
    return _matrix(objects(data.get("result")), query)


def read_exemplars(query: Query, answer: Json) -> list[Json]:
    """Return exemplars, fewer where there are too many to see."""
    found: list[Json] = []
    for series in objects(answer.get("data")):
        labels = _labels(series.get("seriesLabels"))
        for each in objects(series.get("exemplars")):
            value, at = _number(each.get("value")), _number(each.get("timestamp"))
            if isinstance(value, float) and isinstance(at, float):
                found.append(
                    {
                        "at": round(at * 1000),
                        "value": value,
                        "labels": _labels(each.get("labels")),
                        "series": labels,
                    }
                )
    return _sampled(found, query)


def _sampled(found: list[Json], query: Query) -> list[Json]:
    """Return what is worth a point: of each moment the highest, and those far below the one kept before."""
    if not found:
        return []
    values = [each["value"] for each in found]
    distance = 2 * statistics.pstdev(values)
    first, last = query.times
    moment = max(query.step_ms, (last - first) // EXEMPLAR_MOMENTS, 1)
    kept: list[Json] = []
    found.sort(key=lambda each: ((each["at"] - first) // moment, -each["value"]))
    before: tuple[int, float] | None = None
    for each in found:
        place = (each["at"] - first) // moment
        if before is None or before[0] != place or before[1] - each["value"] > distance:
            kept.append(each)
            before = (place, each["value"])
    return kept[:MAX_EXEMPLARS]


def _matrix(result: list[Json], query: Query) -> Json:
    at_most = min(MAX_SERIES, max(1, MAX_POINTS // max(1, _steps(query))))
    kept = result[:at_most]
    times = sorted({at for each in kept for at, _ in _samples(each.get("values"))})
    if query.step_ms and query.shape == "matrix" and "/metrics/" not in query.path:
        first, last = query.times
        if (last - first) // query.step_ms < MAX_POINTS:
            times = list(range(first, last + 1, query.step_ms))
    place = {at: index for index, at in enumerate(times)}
    series = []
    for each in kept:
        values: list[float | str | None] = [None] * len(times)
        for at, value in _samples(each.get("values")):
            if at in place:
                values[place[at]] = value
        series.append({"labels": _labels(each.get("metric")), "values": values})
    cut = f"{len(kept):,} of {len(result):,} series are shown" if len(kept) < len(result) else ""
    return {"times": times, "series": series, "cut": cut}


def _steps(query: Query) -> int:
    first, last = query.times
    return (last - first) // query.step_ms + 1 if query.step_ms and query.shape == "matrix" else 1


def _samples(pairs: Any) -> Iterable[tuple[int, float | str | None]]:
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list | tuple) and len(pair) == 2:
            at = _number(pair[0])
            if isinstance(at, float):
                yield round(at * 1000), _number(pair[1])


def _number(value: Any) -> float | str | None:
    """Return a number as JSON can carry it: infinities as words, NaN as nothing."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return None if math.isnan(number) else number


def _lines(streams: list[Json], limit: int) -> Json:
    lines: list[tuple[str, Json]] = []
    for stream in streams:
        labels = _labels(stream.get("stream"))
        for entry in stream.get("values") or []:
            at, line = str(entry[0]), str(entry[1])
            extra = entry[2] if len(entry) > 2 and isinstance(entry[2], dict) else {}
            more = _labels(extra.get("structuredMetadata")) | _labels(extra.get("parsed"))
            shown = {"at": int(at) // 1_000_000, "line": _shortened(line), "labels": labels | more}
            lines.append((at.rjust(20, "0"), shown))
    lines.sort(key=lambda each: each[0], reverse=True)
    cut = f"the newest {len(lines):,} lines are shown" if lines and len(lines) >= limit > 0 else ""
    return {"lines": [line for _, line in lines], "cut": cut}


def _shortened(line: str) -> str:
    return (
        line
        if len(line) <= MAX_LINE_CHARS
        else f"{line[:MAX_LINE_CHARS]}… cut at {MAX_LINE_CHARS:,} of {len(line):,} characters"
    )


def _traces(answer: Json) -> Json:
    rows = []
    for each in objects(answer.get("traces")):
        started = _number(each.get("startTimeUnixNano"))
        rows.append(
            {
                "trace_id": str(each.get("traceID", "")),
                "at": round(started / 1e6) if isinstance(started, float) else None,
                "service": str(each.get("rootServiceName", ""))[:MAX_LABEL_CHARS],
                "name": str(each.get("rootTraceName", ""))[:MAX_LABEL_CHARS],
                "duration_ms": _number(each.get("durationMs") or 0),
            }
        )
    return {"traces": rows, "cut": ""}


def _tempo_series(series: Json) -> Json:
    labels = {
        str(each.get("key", "")): next(iter(member(each, "value").values()), "")
        for each in objects(series.get("labels"))
    }
    values = [
        [(_as_float(each.get("timestampMs")) or 0.0) / 1000, each.get("value", 0)]
        for each in objects(series.get("samples"))
    ]
    return {"metric": labels, "values": values}


def _as_float(value: Any) -> float | None:
    number = _number(value)
    return number if isinstance(number, float) else None


def _labels(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {str(key)[:MAX_LABEL_CHARS]: str(value)[:MAX_LABEL_CHARS] for key, value in found.items()}
