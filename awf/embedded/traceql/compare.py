"""`compare()`: how often each value of each attribute stands in a selection of the spans, and in the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from awf.embedded.traceql import nodes
from awf.embedded.traceql.conditions import Condition
from awf.embedded.traceql.expressions import compile_test
from awf.embedded.traceql.fields import intrinsic
from awf.embedded.traceql.intrinsics import SCOPE_VALUES, SPAN_VALUES
from awf.embedded.traceql.lines import Line, Lines, Values, by_key
from awf.embedded.traceql.metrics import Steps
from awf.embedded.traceql.seen import Reading, SeenSpan
from awf.embedded.traceql.values import Duration, Value, from_attribute
from awf.errors import QueryLimit

MAX_CELLS: Final = 4_000_000
"""Values of attributes times steps that are counted: 32 MB."""
_META: Final = "__meta_type"
_SIDES: Final = ("baseline", "selection")
_INTRINSICS: Final = tuple(
    (name, {**SPAN_VALUES, **SCOPE_VALUES}[field])
    for name in (
        "name", "kind", "status", "statusMessage", "span:childCount", "instrumentation:name", "instrumentation:version",
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
        fields = nodes.fields_of(comparison.selection.expression)
        self._reading = Reading([Condition(field) for field in fields])
        self._sides: tuple[_Counts, _Counts] = ({}, {})
        self._values = 0

    def add(self, views: Iterable[SeenSpan]) -> None:
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

    def _is_selected(self, view: SeenSpan) -> bool:
        start, end = self._comparison.start_ns, self._comparison.end_ns
        if end and not start < view.span.start_ns <= end:
            return False
        seen = SeenSpan(view.view)
        self._reading.again(seen)
        return self._selects(seen)

    def _count(self, side: _Counts, view: SeenSpan, index: int) -> None:
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


def _attributes(seen: SeenSpan) -> Iterator[tuple[str, Value]]:
    """Yield what a span says about itself, but ids, times and durations, which are all different."""
    span = seen.span
    for name, get in _INTRINSICS:
        yield name, get(seen.view)
    yield "rootName", seen.view.trace.root_name
    yield "rootServiceName", seen.view.trace.root_service
    for scope, attributes in (("resource", span.resource), ("span", span.attributes)):
        for name, raw in attributes.items():
            value = from_attribute(raw)
            if isinstance(value, tuple) and len(value) == 1:
                value = value[0]
            if value is not None and not isinstance(value, Duration):
                yield f"{scope}.{name}", value
