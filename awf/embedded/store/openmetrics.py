"""Samples as OpenMetrics text, one a line with its time, and back. Stale markers have no form there and are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from awf.embedded.model import STALE_NAN_BITS, SeriesBlock

Row = tuple[dict[str, str], int, float]
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"\s*(?:,|$)')
_LINE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)\s+(-?[0-9.eE+]+)(?:\s+#.*)?'
)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def lines(series: SeriesBlock) -> Iterator[str]:
    """Yield the lines of some series, without the end mark."""
    for data in series:
        inner = ",".join(f'{k}="{_escaped(v)}"' for k, v in data.labels.items() if k != "__name__")
        name = data.labels.get("__name__", "") + (f"{{{inner}}}" if inner else "")
        kept = data.values.view(np.uint64) != STALE_NAN_BITS
        for at, value in zip(data.timestamps_ms[kept].tolist(), data.values[kept].tolist(), strict=True):
            yield f"{name} {_number(value)} {at / 1000:.3f}\n"


def read(text: Iterable[str], problems: list[str]) -> Iterator[Row]:
    """Yield samples; what is wrong with a line is added to `problems` with its number, and the line left out."""
    for number, line in enumerate(map(str.strip, text), start=1):
        if not line or line.startswith("#"):
            continue
        try:
            yield _row(line)
        except ValueError as error:
            problems.append(f"line {number}: {error}")


def _row(line: str) -> Row:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:80]!r} is not 'name{{labels}} value seconds'")
    name, inner, value, at = match.groups()
    return {"__name__": name, **_labels(inner or "")}, round(float(at) * 1000), float(value)


def _labels(text: str) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _LABEL.match(text, place)
        if match is None:
            raise ValueError(f"{text[place : place + 40]!r} is not a label")
        labels[match[1]] = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), match[2])
        place = match.end()
    return labels


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    text = repr(value)
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)
