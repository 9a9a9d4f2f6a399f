"""`compare()`: how often each value of each attribute stands in a selection of the spans, and in the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from awf.embedded.traceql import nodes
from awf.embedded.traceql.expressions import compile_field, compile_test
from awf.embedded.traceql.fields import intrinsic
from awf.embedded.traceql.lines import Line, Lines, Values, by_key
from awf.embedded.traceql.metrics import Steps
from awf.embedded.traceql.traces import SpanView
from awf.embedded.traceql.values import Duration, Value, from_attribute
from awf.errors import QueryLimit

MAX_CELLS: Final = 4_000_000
"""Values of attributes times steps that are counted: 32 MB."""
_META: Final = "__meta_type"
_SIDES: Final = ("baseline", "selection")
_INTRINSICS: Final = tuple(
    (field.name, compile_field(field))
    for name in (
        "name", "kind", "status", "statusMessage", "rootName", "rootServiceName",
        "instrumentation:name", "instrumentation:version",
    )
    if (field := intrinsic(name))
)  # fmt: skip

_Counts = dict[str, dict[tuple[type, Value], tuple[Value, Values]]]


class CompareCollector:
    """Takes matching spans, gives lines."""

    def __init__(self, comparison: nodes.Comparison, steps: Steps) -> None:
        self._comparison = comparison
        self._steps = steps
        self._selects = compile_test(comparison.selection.expression)
        self._sides: tuple[_Counts, _Counts] = ({}, {})
        self._values = 0

    def add(self, views: Iterable[SpanView]) -> None:
        """Count the attributes of spans inside the range. Raises QueryLimit."""
        for view in views:
            index = self._steps.index(view.span.start_ns)
            if index >= 0:
                self._count(self._sides[self._is_selected(view)], view, index)

    def lines(self) -> Lines:
        """Return for each attribute its most frequent values and its total, of both sides."""
        found: list[Line] = []
        for side, counts in zip(_SIDES, self._sides, strict=True):
            for name, values in counts.items():
                top = sorted(values.values(), key=lambda item: -float(item[1].sum()))
                for value, points in top[: self._comparison.top]:
                    found.append(Line(((_META, side), (name, value)), points))
                total = np.sum([points for _, points in values.values()], axis=0)
                found.append(Line(((_META, f"{side}_total"), (name, None)), total))
        return by_key(found)

    def _is_selected(self, view: SpanView) -> bool:
        start, end = self._comparison.start_ns, self._comparison.end_ns
        return (not end or start < view.span.start_ns <= end) and self._selects(view)

    def _count(self, side: _Counts, view: SpanView, index: int) -> None:
        for name, value in _attributes(view):
            values = side.setdefault(name, {})
            key = (type(value), value)
            if key not in values:
                self._values += 1
                if self._values * self._steps.count > MAX_CELLS:
                    raise QueryLimit(
                        f"compare() would count {self._values} values over {self._steps.count} steps",
                        hint="Narrow the spans before compare(), or ask for a longer step.",
                    )
                values[key] = value, np.zeros(self._steps.count)
            values[key][1][index] += 1


def _attributes(view: SpanView) -> Iterator[tuple[str, Value]]:
    """Yield what a span says about itself, but ids, times and durations, which are all different."""
    span = view.span
    for name, get in _INTRINSICS:
        yield name, get(view)
    scopes = [("resource", span.resource), ("span", span.attributes)]
    scopes += [("event", event.attributes) for event in span.events]
    scopes += [("link", link.attributes) for link in span.links]
    for scope, attributes in scopes:
        for name, raw in attributes.items():
            value = from_attribute(raw)
            if value is not None and not isinstance(value, Duration):
                yield f"{scope}.{name}", value
