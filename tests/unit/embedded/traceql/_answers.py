"""Answers of a Tempo in a form that can be compared: what has no order is sorted, floats within 1e-9."""

from __future__ import annotations

import json
import math
from typing import Any

Json = Any


def search(body: Json) -> Json:
    """Return what a search found; the order of spans, sets and traces of equal start is not fixed."""
    return sorted((_trace(trace) for trace in body.get("traces", [])), key=lambda trace: str(trace["id"]))


def _trace(trace: Json) -> Json:
    return {
        "id": trace["traceID"].lstrip("0"),
        "root": [trace.get("rootServiceName", ""), trace.get("rootTraceName", "")],
        "start": trace["startTimeUnixNano"],
        "ms": trace.get("durationMs", 0),
        "services": trace.get("serviceStats", {}),
        "sets": sorted((_set(found) for found in trace["spanSets"]), key=json.dumps),
    }


def _set(found: Json) -> Json:
    return {
        "matched": found.get("matched", 0),
        "attributes": [_attribute(item) for item in found.get("attributes", [])],
        "spans": sorted((_span(span) for span in found["spans"]), key=json.dumps),
    }


def _span(span: Json) -> Json:
    return {
        "id": span["spanID"],
        "name": span.get("name", ""),
        "start": span["startTimeUnixNano"],
        "ns": span.get("durationNanos", "0"),
        "attributes": sorted((_attribute(item) for item in span.get("attributes", [])), key=json.dumps),
    }


def _attribute(item: Json) -> Json:
    value = item["value"]
    return [item["key"], {"doubleValue": float(value["doubleValue"])} if "doubleValue" in value else value]


def series(body: Json) -> Json:
    """Return the samples of each series by its labels."""
    found = {}
    for item in body.get("series", []):
        labels = json.dumps(sorted(_attribute(label) for label in item.get("labels", [])))
        samples = [[sample["timestampMs"], sample.get("value", 0)] for sample in item.get("samples", [])]
        found[labels] = samples or item.get("value", 0)
    return found


def difference(ours: Json, theirs: Json, where: str = "") -> str:
    """Return where the first difference is and what it is; empty when there is none."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours or key not in theirs:
                return f"{where}/{key}: only {'theirs' if key in theirs else 'ours'}: {theirs.get(key, ours.get(key))}"
            if found := difference(ours[key], theirs[key], f"{where}/{key}"):
                return found
        return ""
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return f"{where}: {len(ours)} of ours, {len(theirs)} of theirs: {ours} | {theirs}"
        return next(
            filter(
                None,
                (
                    difference(*pair, f"{where}/{at}")
                    for at, pair in enumerate(zip(ours, theirs, strict=True))
                ),
            ),
            "",
        )
    return "" if _equal(ours, theirs) else f"{where}: ours {ours!r}, theirs {theirs!r}"


def _equal(ours: Json, theirs: Json) -> bool:
    if isinstance(ours, float) or isinstance(theirs, float):
        return isinstance(ours, (int, float)) and math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    return bool(ours == theirs)


def moved(answer: Json, by_ns: int) -> Json:
    """Return the answer with its times moved, so that answers about spans of another day can be compared."""
    if isinstance(answer, list):
        return [_moved_trace(trace, by_ns) for trace in answer]
    return {
        labels: [[str(int(at) + by_ns // 1_000_000), value] for at, value in samples]
        if isinstance(samples, list)
        else samples
        for labels, samples in answer.items()
    }


def _moved_trace(trace: Json, by_ns: int) -> Json:
    sets = [
        found | {"spans": [span | {"start": str(int(span["start"]) + by_ns)} for span in found["spans"]]}
        for found in trace["sets"]
    ]
    return trace | {"start": str(int(trace["start"]) + by_ns), "sets": sets}
