"""What an answer of Loki's API says, without what may differ: order of series, statistics, error texts."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

Answer: TypeAlias = dict[str, Any]
TOLERANCE = 1e-9


def normal(status: int, body: Any, base_ns: int) -> Answer:
    """Return `{"error": True}`, or the kind of result with its series; times are relative to the data's."""
    if status != 200:
        return {"error": True}
    data = body["data"]
    kind, result = data["resultType"], data["result"]
    if kind == "streams":
        rows = [
            [
                int(value[0]) - base_ns,
                value[1],
                _labels(stream["stream"]),
                *(_extra(value[2]) if len(value) > 2 else ()),
            ]
            for stream in result
            for value in stream["values"]
        ]
        return {"streams": sorted(rows, key=repr)}
    if kind == "scalar":
        return {"scalar": float(result[1])}
    if kind == "vector":
        return {
            "vector": sorted(([_labels(row["metric"]), float(row["value"][1])] for row in result), key=repr)
        }
    found = [
        [
            _labels(row["metric"]),
            [[round(at - base_ns / 1e9, 3), float(value)] for at, value in row["values"]],
        ]
        for row in result
    ]
    return {"matrix": sorted(found, key=repr)}


def ranked(answer: Answer) -> Answer:
    """Return the values of each time without their series: which of equals is among the topk is left to chance."""
    if "vector" in answer:
        return {"vector": sorted(value for _, value in answer["vector"])}
    points = [point for _, points in answer.get("matrix", ()) for point in points]
    return {"matrix": sorted(points)} if "matrix" in answer else answer


def without_empty(answer: Answer) -> Answer:
    """Return the series of a metric query without labels that are empty."""
    kind = next(iter(answer))
    if kind not in {"vector", "matrix"}:
        return answer
    rows = [[{name: text for name, text in labels.items() if text}, value] for labels, value in answer[kind]]
    return {kind: sorted(rows, key=repr)}


def merged(answer: Answer) -> Answer:
    """Return log entries with their labels in one, wherever they came from."""
    if "streams" not in answer:
        return answer
    return {
        "streams": [
            [at, line, {k: v for part in labels for k, v in part.items()}]
            for at, line, *labels in answer["streams"]
        ]
    }


def _labels(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in sorted(labels.items()) if name != "__error_details__"}


def _extra(extra: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    return [_labels(extra.get("structuredMetadata", {})), _labels(extra.get("parsed", {}))]


def difference(expected: Any, found: Any, path: str = "") -> str:
    """Return where two answers first differ, empty when they are equal; numbers to 1e-9."""
    if isinstance(expected, float) and isinstance(found, float | int):
        same = (
            (math.isnan(expected) and math.isnan(found))
            or expected == found
            or math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=1e-12)
        )
        return "" if same else f"{path}: {expected!r} became {found!r}"
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            return f"{path}: {_short(expected)} became {_short(found)}"
        parts = ((f"{path}.{key}", expected[key], found[key]) for key in expected)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            missing = [row for row in expected if row not in found][:1]
            extra = [row for row in found if row not in expected][:1]
            return f"{path}: {len(expected)} became {len(found)}; missing {_short(missing)}, extra {_short(extra)}"
        parts = ((f"{path}[{index}]", a, b) for index, (a, b) in enumerate(zip(expected, found, strict=True)))
    else:
        return "" if expected == found else f"{path}: {_short(expected)} became {_short(found)}"
    return next((text for where, a, b in parts if (text := difference(a, b, where))), "")


def _short(value: Any) -> str:
    return f"{value!r:.300}"
