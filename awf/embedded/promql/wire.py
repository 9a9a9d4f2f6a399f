"""Prometheus' JSON for query results and its spelling of numbers.

Values are written as text directly: a large range result has millions of them.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Sequence

import numpy as np

from awf.embedded.model import SeriesData
from awf.embedded.promql.engine import InstantResult
from awf.embedded.promql.notes import INFO_PREFIX
from awf.embedded.promql.values import Floats, Scalar, String, VectorSample


def format_float(value: float) -> str:
    """Write a value as Prometheus' API does: shortest digits, an exponent only below 1e-6 or from 1e21."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    if "e" not in text or (value and not 1e-6 <= abs(value) < 1e21):
        return text
    return np.format_float_positional(value, trim="-")


def format_timestamp(timestamp_ms: int) -> str:
    """Write milliseconds as seconds, with a fraction only where there is one."""
    seconds, rest = divmod(timestamp_ms, 1000)
    return f"{seconds}.{rest:03d}" if rest else str(seconds)


def result_type(result: InstantResult, *, is_matrix: bool) -> str:
    match result:
        case Scalar():
            return "scalar"
        case String():
            return "string"
        case _:
            return "matrix" if is_matrix else "vector"


def encode_result(result: InstantResult) -> str:
    """Return the JSON of `data.result`."""
    match result:
        case Scalar():
            return _number(result)
        case String():
            return f"[{format_timestamp(result.timestamp_ms)},{_quoted(result.value)}]"
        case _:
            openings: dict[bytes, list[str]] = {}
            return f"[{','.join(_encode_series(item, openings) for item in result)}]"


def encode_notes(texts: Sequence[str]) -> str:
    """Return the members `warnings` and `infos` of an answer, with a comma before each."""
    infos = [text for text in texts if text.startswith(INFO_PREFIX)]
    warnings = [text for text in texts if not text.startswith(INFO_PREFIX)]
    return "".join(
        f',"{name}":{json.dumps(found)}'
        for name, found in (("warnings", warnings), ("infos", infos))
        if found
    )


def limited(result: InstantResult, limit: int) -> tuple[InstantResult, list[str]]:
    """Cut the series down to the limit (0: none) and return the warning that goes with it."""
    if isinstance(result, Scalar | String) or not limit or len(result) <= limit:
        return result, []
    return result[:limit], ["results truncated due to limit"]


def _encode_series(item: VectorSample | SeriesData, openings: dict[bytes, list[str]]) -> str:
    """Write one series. `openings` remembers how points of some times begin: series mostly share their times."""
    metric = _quoted(dict(item.labels))
    if isinstance(item, VectorSample):
        return f'{{"metric":{metric},"value":{_number(item)}}}'
    times = item.timestamps_ms.tobytes()
    if times not in openings:
        openings[times] = [f'[{format_timestamp(time)},"' for time in item.timestamps_ms.tolist()]
    points = '"],'.join(map(operator.add, openings[times], _numbers(item.values)))
    end = '"]' if points else ""
    return f'{{"metric":{metric},"values":[{points}{end}]}}'


def _numbers(values: Floats) -> list[str]:
    """Write many values; those that Python and Prometheus write alike take the short way."""
    size = np.abs(values)
    if not (np.isfinite(values) & (size < 1e16) & ((size >= 1e-4) | (values == 0))).all():
        return [format_float(value) for value in values.tolist()]
    if (values == np.trunc(values)).all() and not np.signbit(values[values == 0]).any():
        return [str(value) for value in values.astype(np.int64).tolist()]
    return [text[:-2] if text[-2:] == ".0" else text for text in map(repr, values.tolist())]


def _number(sample: Scalar | VectorSample) -> str:
    return f'[{format_timestamp(sample.timestamp_ms)},"{format_float(sample.value)}"]'


def _quoted(content: str | dict[str, str]) -> str:
    """Write text as JSON; bytes that are no UTF-8 become the replacement character, as Go writes them."""
    text = json.dumps(content, ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
