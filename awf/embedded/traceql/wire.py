"""Results as Tempo's JSON: 64-bit numbers are strings, and a field that is 0 or empty is left out."""

from __future__ import annotations

import math
from typing import Any

from awf.embedded.traceql.results import (
    Attributes,
    Exemplar,
    FoundSpan,
    FoundSpanset,
    FoundTrace,
    MetricsResult,
    SearchResult,
    Series,
)
from awf.embedded.traceql.values import Value, text_of

Json = dict[str, Any]


def search(result: SearchResult) -> Json:
    return {
        "traces": [_trace(trace) for trace in result.traces],
        "metrics": _compact(
            {"inspectedTraces": result.inspected_traces, "inspectedSpans": _long(result.inspected_spans)}
        ),
    }


def metrics_range(result: MetricsResult) -> Json:
    return {
        "series": [
            {
                "labels": _attributes(series.labels),
                "samples": [_sample(at, value) for at, value in series.samples],
            }
            | _compact({"exemplars": [_exemplar(exemplar) for exemplar in series.exemplars]})
            for series in result.series
            if series.samples
        ],
        "metrics": _compact({"inspectedSpans": _long(result.inspected_spans)}),
    }


def metrics_instant(result: MetricsResult) -> Json:
    series = [_instant(series) for series in result.series if series.samples]
    metrics = _compact({"inspectedSpans": _long(result.inspected_spans)})
    return _compact({"series": series}) | {"metrics": metrics}


def _trace(trace: FoundTrace) -> Json:
    spansets = [_spanset(found) for found in trace.spansets]
    services = {
        name: _compact({"spanCount": count, "errorCount": errors})
        for name, (count, errors) in trace.services.items()
    }
    return _compact(
        {
            "traceID": trace.trace_id.lstrip("0"),
            "rootServiceName": trace.root_service,
            "rootTraceName": trace.root_name,
            "startTimeUnixNano": _long(trace.start_ns),
            "durationMs": trace.duration_ns // 1_000_000,
            "spanSet": spansets[0],
            "spanSets": spansets,
            "serviceStats": services,
        }
    )


def _spanset(found: FoundSpanset) -> Json:
    return _compact(
        {
            "spans": [_span(span) for span in found.spans],
            "matched": found.matched,
            "attributes": _attributes(found.attributes),
        }
    )


def _span(found: FoundSpan) -> Json:
    span = found.span
    return _compact(
        {
            "spanID": span.span_id,
            "name": found.name,
            "startTimeUnixNano": _long(span.start_ns),
            "durationNanos": _long(span.duration_ns),
            "attributes": _attributes(found.attributes),
        }
    )


def _instant(series: Series) -> Json:
    return {"labels": _attributes(series.labels)} | _compact({"value": _double(series.samples[0][1])})


def _sample(timestamp_ms: int, value: float) -> Json:
    return {"timestampMs": str(timestamp_ms)} | _compact({"value": _double(value)})


def _exemplar(exemplar: Exemplar) -> Json:
    return {"labels": _attributes(exemplar.labels)} | _sample(exemplar.timestamp_ms, exemplar.value)


def _attributes(attributes: Attributes) -> list[Json]:
    return [{"key": key, "value": _any_value(value)} for key, value in attributes]


def _any_value(value: Value) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if type(value) is int:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": _double(value)}
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    return {"stringValue": text_of(value)}


def _double(value: float) -> float | str:
    """JSON has no words for these; protobuf's JSON writes them as strings."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _long(value: int) -> str:
    return str(int(value)) if value else ""


def _compact(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value or isinstance(value, bool)}
