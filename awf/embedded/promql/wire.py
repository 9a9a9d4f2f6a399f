"""Prometheus' JSON for query results and its spelling of numbers.

Values are written as text directly: a large range result has millions of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np

from awf.embedded.model import SeriesData
from awf.embedded.promql.engine import InstantResult
from awf.embedded.promql.notes import INFO_PREFIX
from awf.embedded.promql.values import Scalar, String, VectorSample


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
            return _pair(result.timestamp_ms, format_float(result.value))
        case String():
            return _pair(result.timestamp_ms, result.value)
        case _:
            return f"[{','.join(_encode_series(item) for item in result)}]"


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


def _encode_series(item: VectorSample | SeriesData) -> str:
    metric = json.dumps(dict(item.labels), ensure_ascii=False)
    if isinstance(item, VectorSample):
        return f'{{"metric":{metric},"value":{_pair(item.timestamp_ms, format_float(item.value))}}}'
    points = ",".join(
        f'[{format_timestamp(time)},"{format_float(value)}"]'
        for time, value in zip(item.timestamps_ms.tolist(), item.values.tolist(), strict=True)
    )
    return f'{{"metric":{metric},"values":[{points}]}}'


def _pair(timestamp_ms: int, text: str) -> str:
    return f"[{format_timestamp(timestamp_ms)},{json.dumps(text, ensure_ascii=False)}]"
