"""Series in memory, their samples written as `value+step x count`."""

from __future__ import annotations

import re

import numpy as np

from awf.embedded.model import SeriesData
from tests.conformance.notation import STALE
from tests.conformance.samples import MemoryReader

__all__ = ["MemoryReader", "load"]

_LABEL = re.compile(r'(\w+)="([^"]*)"')


def load(text: str, *, step_ms: int = 60_000, start_ms: int = 0) -> MemoryReader:
    """Read lines `name{a="b"} v1 v2 _ stale 0+10x5`: one sample a step, `_` for none."""
    return MemoryReader([_line(line, step_ms, start_ms) for line in text.strip().split("\n")])


def _line(line: str, step_ms: int, start_ms: int) -> SeriesData:
    found = re.match(r"\s*([\w:]*)(\{.*?\})?\s+(.*)", line)
    assert found, line
    labels = dict(_LABEL.findall(found[2] or ""))
    if found[1]:
        labels["__name__"] = found[1]
    values = [value for word in found[3].split() for value in _values(word)]
    kept = [(start_ms + index * step_ms, value) for index, value in enumerate(values) if value is not None]
    return SeriesData(
        labels,
        np.array([time for time, _ in kept], dtype=np.int64),
        np.array([value for _, value in kept], dtype=np.float64),
    )


def _values(word: str) -> list[float | None]:
    if word == "_":
        return [None]
    if word == "stale":
        return [STALE]
    if found := re.fullmatch(r"(-?[\d.]+)([+-][\d.]+)x(\d+)", word):
        first, step, count = float(found[1]), float(found[2]), int(found[3])
        return [first + step * index for index in range(count + 1)]
    return [float(word)]
