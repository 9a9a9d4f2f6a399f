"""Warnings and infos about a query that has an answer, as Prometheus' annotations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

from awf.embedded.promql.mistakes import position
from awf.embedded.promql.syntax import Span

MAX_SHOWN = 10
INFO_PREFIX = "PromQL info: "
COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")
_MONOTONIC = (
    "input to histogram_quantile needed to be fixed for monotonicity "
    "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
)


@dataclass(slots=True)
class Fixed:
    """Where bucket counts decreased and were raised."""

    first_ms: int
    last_ms: int
    lowest: float
    highest: float
    most: float
    samples: int

    def add(self, other: Fixed) -> None:
        self.first_ms, self.last_ms = min(self.first_ms, other.first_ms), max(self.last_ms, other.last_ms)
        self.lowest, self.highest = min(self.lowest, other.lowest), max(self.highest, other.highest)
        self.most = max(self.most, other.most)
        self.samples += other.samples

    def __str__(self) -> str:
        first, last = (
            datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for moment in (self.first_ms, self.last_ms)
        )
        return (
            f", from buckets {write_g(self.lowest)} to {write_g(self.highest)}, with a max diff of {self.most:.2g}, "
            f"over {self.samples} samples from {first} to {last}"
        )


@dataclass(slots=True)
class Notes:
    """Collects notes of one query; the same text is kept once, with its first place."""

    query: str = ""
    _warnings: dict[str, Span] = field(default_factory=dict)
    _infos: dict[str, Span] = field(default_factory=dict)
    _fixed: dict[str, Fixed] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self._warnings and not self._infos

    def warn(self, text: str, span: Span) -> None:
        self._warnings.setdefault(text, span)

    def inform(self, text: str, span: Span) -> None:
        self._infos.setdefault(text, span)

    def quantile(self, value: float, span: Span) -> None:
        """Warn about a quantile that is none."""
        if math.isnan(value) or not 0 <= value <= 1:
            self.warn(f"quantile value should be between 0 and 1, got {write_g(value)}", span)

    def counter(self, metric: str, span: Span) -> None:
        """Inform about a rate of what is no counter by its name."""
        if metric and not metric.endswith(COUNTER_SUFFIXES):
            shape = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket"
            self.inform(f'{shape}: "{metric}"', span)

    def bucket_label(self, value: str, metric: str, span: Span) -> None:
        named = f' for metric name "{metric}"' if metric else ""
        self.warn(f'bucket label "le" is missing or has a malformed value of "{value}"{named}', span)

    def monotonic(self, fixed: Fixed, metric: str, span: Span) -> None:
        text = _MONOTONIC + (f' for metric name "{metric}"' if metric else "")
        self.inform(text, span)
        if text in self._fixed:
            self._fixed[text].add(fixed)
        else:
            self._fixed[text] = fixed

    def warnings(self, *, most: int = 0) -> list[str]:
        """Return the warnings with their places, at most so many (0: all)."""
        return self._written("PromQL warning: ", self._warnings, most)

    def texts(self) -> list[str]:
        """Return as many of both kinds as an API shows."""
        return [*self.warnings(most=MAX_SHOWN), *self.infos(most=MAX_SHOWN)]

    def infos(self, *, most: int = 0) -> list[str]:
        return self._written(INFO_PREFIX, self._infos, most)

    def _written(self, prefix: str, found: dict[str, Span], most: int) -> list[str]:
        texts = [
            f"{prefix}{text}{self._fixed.get(text, '')} ({position(self.query, span.start)})"
            for text, span in found.items()
        ]
        if not most or len(texts) <= most:
            return texts
        return [*texts[:most], f"{prefix}{len(texts) - most} more annotations omitted"]


def write_g(value: float) -> str:
    """Write a number as Go's %g does."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value).removesuffix(".0")
