"""Answers of the datasources in one form for the page: times once, values by series; cut where they are
more than a panel can show, and then said so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from awf.api.dashboards.board import member, objects
from awf.api.dashboards.queries import Query
from awf.api.dashboards.traces import read_trace
from awf.core.types import Json

MAX_SERIES: Final = 200
MAX_POINTS: Final = 200_000
MAX_LINE_CHARS: Final = 4_000
MAX_LABEL_CHARS: Final = 1_000


def read(query: Query, answer: Json) -> Json:
    """Return a query's answer for the page."""
    data = member(answer, "data")
    kind = data.get("resultType")
    if query.shape == "trace":
        return _trace(query, answer)
    if query.shape == "traces":
        return _spans(answer) if query.format == "spans" else _traces(answer)
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
        series.append({"labels": labels_of(each.get("metric")), "values": values})
    cut = f"{len(kept):,} of {len(result):,} series are shown" if len(kept) < len(result) else ""
    return {"times": times, "series": series, "cut": cut}


def _steps(query: Query) -> int:
    first, last = query.times
    return (last - first) // query.step_ms + 1 if query.step_ms and query.shape == "matrix" else 1


def _samples(pairs: Any) -> Iterable[tuple[int, float | str | None]]:
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list | tuple) and len(pair) == 2:
            at = number_of(pair[0])
            if isinstance(at, float):
                yield round(at * 1000), number_of(pair[1])


def number_of(value: Any) -> float | str | None:
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
        labels = labels_of(stream.get("stream"))
        for entry in stream.get("values") or []:
            at, line = str(entry[0]), str(entry[1])
            extra = entry[2] if len(entry) > 2 and isinstance(entry[2], dict) else {}
            more = labels_of(extra.get("structuredMetadata")) | labels_of(extra.get("parsed"))
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
        started = number_of(each.get("startTimeUnixNano"))
        rows.append(
            {
                "trace_id": str(each.get("traceID", "")),
                "at": round(started / 1e6) if isinstance(started, float) else None,
                "service": str(each.get("rootServiceName", ""))[:MAX_LABEL_CHARS],
                "name": str(each.get("rootTraceName", ""))[:MAX_LABEL_CHARS],
                "duration_ms": number_of(each.get("durationMs") or 0),
            }
        )
    return {"traces": rows, "cut": ""}


def _trace(query: Query, answer: Json) -> Json:
    """Return the spans of one trace as rows; `trace` is None when there is no such trace."""
    found = read_trace(answer)
    if found is None:
        return {"trace": None, "cut": ""}
    shown, total = len(found.spans), found.total
    rows = [
        {
            "id": span.id, "name": span.name[:MAX_LABEL_CHARS], "service": span.service[:MAX_LABEL_CHARS],
            "depth": span.depth, "start": span.start, "width": span.width, "duration_ms": span.duration_ms,
            "is_error": span.is_error, "message": span.message, "attributes": span.attributes,
        }
        for span in found.spans
    ]  # fmt: skip
    trace = {
        "trace_id": query.expr, "start_ms": found.start_ns / 1e6, "duration_ms": found.duration_ms, "spans": rows,
    }  # fmt: skip
    return {"trace": trace, "cut": f"{shown:,} of {total:,} spans are shown" if shown < total else ""}


def _spans(answer: Json) -> Json:
    """Return the spans that matched, with the attributes that the query selects."""
    rows: list[Json] = []
    for trace in objects(answer.get("traces")):
        sets = objects(trace.get("spanSets")) or [member(trace, "spanSet")]
        for span in (each for found in sets for each in objects(found.get("spans"))):
            started, duration = number_of(span.get("startTimeUnixNano")), number_of(span.get("durationNanos"))
            rows.append(
                {
                    "trace_id": str(trace.get("traceID", "")),
                    "at": round(started / 1e6) if isinstance(started, float) else None,
                    "name": str(span.get("name") or trace.get("rootTraceName") or "")[:MAX_LABEL_CHARS],
                    "attributes": _tempo_labels(span.get("attributes")),
                    "duration_ms": duration / 1e6 if isinstance(duration, float) else None,
                }
            )
    rows.sort(key=lambda row: row["at"] or 0, reverse=True)
    return {"traces": rows, "cut": ""}


def _tempo_labels(found: Any) -> dict[str, str]:
    pairs = ((each.get("key"), next(iter(member(each, "value").values()), "")) for each in objects(found))
    return labels_of(dict(pairs))


def _tempo_series(series: Json) -> Json:
    labels = _tempo_labels(series.get("labels"))
    values = [
        [(_as_float(each.get("timestampMs")) or 0.0) / 1000, each.get("value", 0)]
        for each in objects(series.get("samples"))
    ]
    return {"metric": labels, "values": values}


def _as_float(value: Any) -> float | None:
    number = number_of(value)
    return number if isinstance(number, float) else None


def labels_of(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {str(key)[:MAX_LABEL_CHARS]: str(value)[:MAX_LABEL_CHARS] for key, value in found.items()}
