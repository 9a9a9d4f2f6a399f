"""Compares what the engine answered with what a script expects; the first difference, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from awf.embedded.model import SeriesData
from awf.embedded.promql import Scalar, String, VectorSample
from tests.conformance.notation import Native, write_value
from tests.conformance.script import About, Eval

_EPSILON = 1e-6
_SMALLEST = 2.2250738585072014e-308
Answer = Scalar | String | list[VectorSample] | list[SeriesData]


def difference(wanted: Eval, answer: Answer) -> str | None:
    """Return how the answer differs from what is wanted, or None."""
    match answer:
        case Scalar():
            if wanted.scalar is None:
                return f"a vector is expected, not the scalar {write_value(answer.value)}"
            if not close(answer.value, wanted.scalar):
                return f"{write_value(wanted.scalar)} is expected, not {write_value(answer.value)}"
            return None
        case String():
            return (
                None if wanted.text == answer.value else f"{wanted.text!r} is expected, not {answer.value!r}"
            )
    if wanted.scalar is not None and not wanted.is_range:
        return "a scalar is expected, not a vector"
    if wanted.is_range or wanted.is_matrix:
        return _matrix_difference(wanted, [item for item in answer if isinstance(item, SeriesData)])
    return _vector_difference(wanted, [item for item in answer if isinstance(item, VectorSample)])


def note_difference(wanted: Eval, about: About, found: Sequence[str]) -> str | None:
    """Return how the warnings (or infos) that came differ from the expected ones, or None."""
    if wanted.expects("no_warn" if about == "warn" else "no_info") and found:
        return f"no {about} is expected, there is {found[0]!r}"
    expected = wanted.expects(about)
    for item in expected:
        if not any(item.met_by(text) for text in found):
            said = item.message or (item.pattern.pattern if item.pattern else "any")
            return f"the {about} {said!r} is expected, there is {list(found) or 'none'}"
    if expected:
        for text in found:
            if not any(item.met_by(text) for item in expected):
                return f"the {about} {text!r} is not expected"
    return None


def close(ours: float, wanted: float) -> bool:
    """Tell whether two values are the same but for rounding, as Prometheus' own tests do."""
    if math.isnan(ours) or math.isnan(wanted):
        return write_value(ours) == write_value(wanted)
    if ours == wanted:
        return True
    apart, size = abs(ours - wanted), abs(ours) + abs(wanted)
    if not ours or not wanted or size < _SMALLEST:
        return apart < _EPSILON * _SMALLEST
    return apart / min(size, 1.7976931348623157e308) < _EPSILON


def write_labels(labels: Mapping[str, str]) -> str:
    inner = ", ".join(f'{name}="{text}"' for name, text in sorted(labels.items()) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{inner}}}"


def _vector_difference(wanted: Eval, answer: Sequence[VectorSample]) -> str | None:
    expected = {frozenset(item.labels.items()): item for item in wanted.series}
    for sample in answer:
        item = expected.get(frozenset(sample.labels.items()))
        if item is None:
            return f"{write_labels(sample.labels)} {write_value(sample.value)} is not expected"
        value = item.values[0] if item.values else None
        if not isinstance(value, float) or not close(sample.value, value):
            shown = write_value(value) if isinstance(value, float) else value
            return f"{write_labels(item.labels)} {shown} is expected, not {write_value(sample.value)}"
    if missing := _missing(expected, (sample.labels for sample in answer)):
        return missing
    in_order = [frozenset(sample.labels.items()) for sample in answer]
    if wanted.expects("ordered") and in_order != list(expected):
        return f"another order is expected: {', '.join(write_labels(item.labels) for item in wanted.series)}"
    return None


def _matrix_difference(wanted: Eval, answer: Sequence[SeriesData]) -> str | None:
    expected = {frozenset(item.labels.items()): item for item in wanted.series}
    for series in answer:
        item = expected.get(frozenset(series.labels.items()))
        shown = " ".join(
            f"{write_value(value)}@{time}"
            for time, value in zip(series.timestamps_ms.tolist(), series.values.tolist(), strict=True)
        )
        if item is None:
            return f"{write_labels(series.labels)} {shown} is not expected"
        points = {
            wanted.start_ms + position * wanted.step_ms: value
            for position, value in enumerate(item.values)
            if value is not None
        }
        if list(points) != series.timestamps_ms.tolist() or not _all_close(points.values(), series.values):
            named = " ".join(
                f"{write_value(value) if isinstance(value, float) else value}@{time}"
                for time, value in points.items()
            )
            return f"{write_labels(item.labels)} {named} is expected, not {shown}"
    return _missing(expected, (series.labels for series in answer))


def _all_close(wanted: Iterable[float | Native], ours: np.ndarray) -> bool:
    return all(
        isinstance(value, float) and close(our, value)
        for value, our in zip(wanted, ours.tolist(), strict=True)
    )


def _missing(
    expected: Mapping[frozenset[tuple[str, str]], object], found: Iterable[Mapping[str, str]]
) -> str | None:
    left = set(expected) - {frozenset(labels.items()) for labels in found}
    return f"{write_labels(dict(min(left, key=sorted)))} is expected and missing" if left else None
