"""The small chart beside a piece of evidence: a few lines as SVG, drawn here, so that it needs no script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from awf.api.ui.words import number
from awf.core.ports import Series

WIDTH, HEIGHT, BOTTOM, LEFT = 640, 120, 18, 46
MAX_LINES: Final = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its SVG path, and what tells it from the others."""

    path: str
    legend: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that matters, as a vertical line."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws; coordinates are those of a viewBox of WIDTH by HEIGHT."""

    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    heights: tuple[Tick, ...]
    times: tuple[Tick, ...]
    left_out: int = 0
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    floor: int = HEIGHT - BOTTOM


def draw(
    series: Sequence[Series], start: datetime, end: datetime, marks: Iterable[tuple[datetime, str]]
) -> Chart | None:
    """Return the chart of the highest series between two moments, None when there is nothing to draw."""
    window = (start.timestamp(), end.timestamp())
    shown = sorted(filter(None, (_inside(each, *window) for each in series)), key=_highest, reverse=True)
    if not shown or end <= start:
        return None
    kept = shown[:MAX_LINES]
    most = max(map(_highest, kept))
    least = min([0.0, *(value for each in kept for _, value in each.points)])
    scale = _Scale(*window, least, most if most > least else least + 1.0)
    return Chart(
        lines=tuple(
            Line(scale.path(each.points), text) for each, text in zip(kept, _legends(kept), strict=True)
        ),
        marks=tuple(Mark(scale.x(at.timestamp()), text) for at, text in marks if start <= at <= end),
        heights=tuple(Tick(scale.y(value), number(value)) for value in (scale.least, scale.most)),
        times=tuple(_times(scale)),
        left_out=len(shown) - len(kept),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    start: float
    end: float
    least: float
    most: float

    def x(self, at: float) -> float:
        return round(LEFT + (WIDTH - LEFT) * (at - self.start) / (self.end - self.start), 1)

    def y(self, value: float) -> float:
        floor = HEIGHT - BOTTOM
        return round(floor - (floor - 8) * (value - self.least) / (self.most - self.least), 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(
            f"{'L' if n else 'M'}{self.x(at)} {self.y(value)}" for n, (at, value) in enumerate(points)
        )


def _times(scale: _Scale) -> Iterable[Tick]:
    for share in (0.0, 0.25, 0.5, 0.75):
        at = scale.start + share * (scale.end - scale.start)
        yield Tick(scale.x(at), f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}")


def _inside(series: Series, start: float, end: float) -> Series | None:
    points = tuple((at, value) for at, value in series.points if start <= at <= end and math.isfinite(value))
    return Series(series.labels, points) if points else None


def _highest(series: Series) -> float:
    return max(value for _, value in series.points)


def _legends(series: Sequence[Series]) -> list[str]:
    """Return what tells the series apart: the labels that not all have alike."""
    differ = [
        name
        for name in sorted({name for each in series for name in each.labels})
        if len({each.labels.get(name) for each in series}) > 1
    ]
    return [_words(each.labels, differ) or "value" for each in series]


def _words(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return ", ".join(labels[name] for name in names if labels.get(name))
