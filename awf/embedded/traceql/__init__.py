"""TraceQL over stored spans: search, metrics, and the names and values of attributes."""

from awf.embedded.traceql.engine import Engine
from awf.embedded.traceql.parser import parse
from awf.embedded.traceql.results import (
    FoundSpan,
    FoundSpanset,
    FoundTrace,
    MetricsResult,
    SearchResult,
    Series,
)

__all__ = [
    "Engine",
    "FoundSpan",
    "FoundSpanset",
    "FoundTrace",
    "MetricsResult",
    "SearchResult",
    "Series",
    "parse",
]
