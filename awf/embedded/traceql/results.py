"""What the engine answers: traces with their spansets, and series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from awf.embedded.model import Span
from awf.embedded.traceql.values import Value

Attributes = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """A span that matched, with the attributes that the query names."""

    span: Span
    name: str  # empty unless the query names it
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class FoundSpanset:
    spans: tuple[FoundSpan, ...]
    matched: int  # before the cut to spans per spanset
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class FoundTrace:
    trace_id: str
    root_service: str
    root_name: str
    start_ns: int
    duration_ns: int
    spansets: tuple[FoundSpanset, ...]
    services: Mapping[str, tuple[int, int]]  # service -> spans, of which errors


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The newest traces that match, newest first."""

    traces: tuple[FoundTrace, ...]
    inspected_traces: int
    inspected_spans: int


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A span that was counted; the labels name its trace."""

    labels: Attributes
    value: float
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Series:
    """Labels keep their types; samples are (milliseconds, value)."""

    labels: Attributes
    samples: tuple[tuple[int, float], ...]
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricsResult:
    series: tuple[Series, ...]
    inspected_spans: int
