"""Results are written as Prometheus writes them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from awf.embedded.model import SeriesData
from awf.embedded.promql import String, VectorSample
from awf.embedded.promql.wire import encode_result, format_float


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 1.0, -3.0, 1e15],
        [-0.0, 1.0],
        [0.5, 2.0, 123456.789],
        [1e16, 1.0, 1e21, 1e20],
        [1e-4, 1e-5, 1e-6, 1e-7],
        [float("nan"), float("inf"), float("-inf"), 1.5],
        [],
    ],
)
def test_many_values_are_written_like_each_of_them(values: list[float]) -> None:
    times = np.arange(len(values), dtype=np.int64) * 500
    series = SeriesData({"a": "b"}, times, np.array(values))
    found = json.loads(encode_result([series, series]))
    assert found[0] == found[1]
    assert found[0]["metric"] == {"a": "b"}
    assert [text for _, text in found[0]["values"]] == [format_float(value) for value in values]
    assert [moment for moment, _ in found[0]["values"]] == [time / 1000 for time in times.tolist()]


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    broken = b"a\xffb".decode("utf-8", "surrogateescape")
    text = encode_result([VectorSample({"é": broken}, 0, 1.0)])
    assert json.loads(text.encode())[0]["metric"] == {"é": "a�b"}
    assert encode_result(String(0, broken)).encode().decode() == '[0,"a�b"]'
