"""Metrics functions: spans sorted into steps by their start, one series for each combination of labels.

Steps are closed on the right, and their timestamp is their end, as in Tempo. Durations are in seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from awf.embedded.traceql import nodes
from awf.embedded.traceql.expressions import Getter, compile_field
from awf.embedded.traceql.fields import intrinsic
from awf.embedded.traceql.lines import METRIC_NAME, Line, Lines, by_key, sparse
from awf.embedded.traceql.nodes import Field, Scope
from awf.embedded.traceql.results import Attributes
from awf.embedded.traceql.seen import SeenSpan
from awf.embedded.traceql.values import Duration, Value
from awf.errors import QueryError, QueryLimit, UnsupportedQuery

MAX_POINTS: Final = 11_000
MAX_SERIES: Final = 1_000
BUCKET_LABEL: Final = "__bucket"
_NS: Final = 1_000_000_000
_DURATION: Final = intrinsic("duration")
BUCKETED: Final = frozenset({"quantile_over_time", "histogram_over_time"})
_COUNTING: Final = frozenset({"rate", "count_over_time", "histogram_over_time"})

Cells = dict[int, list[float]]
"""Values by step."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The intervals (start, start + step], ... up to the end."""

    start_ns: int
    end_ns: int
    step_ns: int

    @classmethod
    def aligned(cls, start_ns: int, end_ns: int, step_ns: int) -> Steps:
        """Return intervals at multiples of the step that cover the range, one before it included.

        Raises QueryError for an empty range, QueryLimit for too many points.
        """
        if step_ns <= 0:
            raise QueryError(f"step is {step_ns} ns; it must be more than 0")
        _check_range(start_ns, end_ns)
        start = start_ns - start_ns % step_ns - step_ns
        end = -(-end_ns // step_ns) * step_ns
        if (end - start) // step_ns > MAX_POINTS:
            raise QueryLimit(f"more than {MAX_POINTS} points a series", hint="Ask for a longer step.")
        return cls(start, end, step_ns)

    @classmethod
    def instant(cls, start_ns: int, end_ns: int) -> Steps:
        """Return the one interval of an instant query."""
        _check_range(start_ns, end_ns)
        return cls(start_ns, end_ns, end_ns - start_ns)

    def over_at(self, now_ns: int) -> Steps:
        """Return the intervals that are over. Raises QueryError when none is."""
        if self.end_ns <= now_ns:
            return self
        end = now_ns - now_ns % self.step_ns
        _check_range(self.start_ns, end)
        return Steps(self.start_ns, end, self.step_ns)

    @property
    def count(self) -> int:
        return (self.end_ns - self.start_ns) // self.step_ns

    def index(self, timestamp_ns: int) -> int:
        """Return the interval of a time; -1 when it is outside."""
        if not self.start_ns < timestamp_ns <= self.end_ns:
            return -1
        return (timestamp_ns - self.start_ns - 1) // self.step_ns

    @property
    def timestamps_ms(self) -> list[int]:
        first = self.start_ns + self.step_ns
        return [(first + index * self.step_ns) // 1_000_000 for index in range(self.count)]


def _check_range(start_ns: int, end_ns: int) -> None:
    if start_ns >= end_ns:
        raise QueryError(f"end must be after start; start is {start_ns} and end {end_ns} (ns)")


@dataclass(slots=True)
class _Group:
    labels: tuple[Value, ...]
    cells: Cells = field(default_factory=dict)


_Key = tuple[tuple[type, Value], ...]


def _key(labels: tuple[Value, ...]) -> _Key:
    return tuple((type(label), label) for label in labels)


class MetricsCollector:
    """Takes matching spans, gives series."""

    def __init__(self, metric: nodes.Metric, steps: Steps) -> None:
        self._metric = metric
        self._steps = steps
        self._by = [compile_group(item) for item in metric.by]
        self._value = measure_of(metric)
        self._groups: dict[_Key, _Group] = {}
        self._without_number: set[_Key] = set()

    def add(self, views: Iterable[SeenSpan]) -> None:
        """Count spans; those outside the range or without a number are left out. Raises QueryLimit."""
        for view in views:
            index = self._steps.index(view.span.start_ns)
            if index < 0:
                continue
            value = self._value(view)
            if value is not None:
                self._group(view).cells.setdefault(index, []).append(value)
            elif self._metric.function == "sum_over_time":
                self._without_number.add(_key(self._labels_of(view)))

    def _labels_of(self, view: SeenSpan) -> tuple[Value, ...]:
        return tuple(get(view) for get in self._by)

    def _group(self, view: SeenSpan) -> _Group:
        labels = self._labels_of(view)
        key = _key(labels)
        if key not in self._groups:
            if len(self._groups) >= MAX_SERIES:
                raise QueryLimit(f"more than {MAX_SERIES} series", hint="Group by fewer or other attributes.")
            self._groups[key] = _Group(labels)
        return self._groups[key]

    def lines(self) -> Lines:
        """Return the series; steps without spans count 0, and have no point where 0 would be wrong.

        Raises UnsupportedQuery for a sum to which some spans have nothing to add: Tempo loses it.
        """
        if not self._without_number.isdisjoint(self._groups):
            raise UnsupportedQuery(
                f"sum_over_time({self._metric.field}) over spans of which some have no such number",
                hint=f"Ask for {{ {self._metric.field} != nil }}.",
            )
        if not self._groups and not self._by and self._metric.function in {"rate", "count_over_time"}:
            self._groups[()] = _Group(())
        return by_key(line for group in self._groups.values() for line in self._expand(group))

    def _expand(self, group: _Group) -> Iterable[Line]:
        labels = labels_of(self._metric, group.labels)
        metric = self._metric
        if metric.function == "quantile_over_time":
            for q in metric.quantiles:
                yield self._line((*labels, ("p", q)), group.cells, partial(_quantile, q))
        elif metric.function == "histogram_over_time":
            for bound in sorted({value for cell in group.cells.values() for value in cell}):
                yield self._line((*labels, (BUCKET_LABEL, bound)), group.cells, partial(_count, bound))
        else:
            yield self._line(labels, group.cells, _reduction(metric.function, self._steps))

    def _line(self, labels: Attributes, cells: Cells, reduce: Callable[[list[float]], float]) -> Line:
        points = {index: float(reduce(cell)) for index, cell in cells.items()}
        return Line(labels, sparse(points, self._steps.count, fill=fill_of(self._metric)))


def labels_of(metric: nodes.Metric, values: Sequence[Value]) -> Attributes:
    """Return the labels of a group; one that has no value at all says so of its first attribute."""
    pairs = zip(metric.by, values, strict=True)
    labels = tuple((str(item), value) for item, value in pairs if value is not None)
    if labels or metric.function in BUCKETED:
        return labels
    return ((str(metric.by[0]), None),) if metric.by else ((METRIC_NAME, metric.function),)


def fill_of(metric: nodes.Metric) -> float:
    """Return the value of a step without spans."""
    return 0.0 if metric.function in _COUNTING | {"quantile_over_time"} else math.nan


def compile_group(field: Field) -> Getter:
    """An attribute without a scope groups by the span's value, else by its resource's; not by its events'."""
    if field.scope is not Scope.NONE:
        return compile_field(field)
    own, resource = Field(Scope.SPAN, field.name), Field(Scope.RESOURCE, field.name)

    def group(seen: SeenSpan) -> Value:
        is_own = any(known == own for known, _ in seen.own)
        return seen.value_of(own if is_own else resource)

    return group


def _quantile(quantile: float, cell: list[float]) -> float:
    return log2_quantile(quantile, Counter(cell))


def _count(bound: float, cell: list[float]) -> int:
    return cell.count(bound)


def measure_of(metric: nodes.Metric) -> Callable[[SeenSpan], float | None]:
    """Return what a span adds to its step: 1, a number, or the upper bound of its bucket."""
    if metric.field is None:
        return lambda _: 1.0
    get = compile_field(metric.field)
    if metric.function in BUCKETED:
        return _bucket(metric, get)
    return _duration(get) if metric.field == _DURATION else _number(get)


def _number(get: Getter) -> Callable[[SeenSpan], float | None]:
    """Durations other than the span's own are measured in nanoseconds, as in Tempo."""

    def measure(view: SeenSpan) -> float | None:
        value = get(view)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            return None
        return float(value)

    return measure


def _duration(get: Getter) -> Callable[[SeenSpan], float]:
    """Seconds; 0 of a span whose duration the query asked about and that did not fit, as in Tempo."""

    def measure(view: SeenSpan) -> float:
        value = get(view)
        return value / _NS if isinstance(value, Duration) else 0.0

    return measure


def _bucket(metric: nodes.Metric, get: Getter) -> Callable[[SeenSpan], float | None]:
    """Values go to buckets by powers of two; those below 2 and fractions are left out, as in Tempo."""

    def measure(view: SeenSpan) -> float | None:
        value = get(view)
        if isinstance(value, bool) or not isinstance(value, int) or value < 2:
            return None
        bound = 1 << (value - 1).bit_length()
        return bound / _NS if isinstance(value, Duration) else float(bound)

    return measure


def _reduction(function: str, steps: Steps) -> Callable[[list[float]], float]:
    match function:
        case "rate":
            seconds = steps.step_ns / _NS
            return lambda cell: len(cell) / seconds
        case "count_over_time":
            return len
        case "min_over_time":
            return min
        case "max_over_time":
            return max
        case "avg_over_time":
            return lambda cell: sum(cell) / len(cell)
    return sum


def log2_quantile(quantile: float, counts: Mapping[float, int]) -> float:
    """Return a quantile of counted bucket bounds, interpolated exponentially inside the bucket.

    The rank is rounded up; a rank that ends exactly on a bucket's last value gives the bucket's bound.
    """
    rank = max(1, math.ceil(quantile * sum(counts.values())))
    before, lower = 0, 0.0
    for bound, count in sorted(counts.items()):
        if before + count == rank:
            return bound
        if before + count > rank:
            low = math.log2(lower) if lower else math.log2(bound) - 1
            return float(2 ** (low + (math.log2(bound) - low) * (rank - before) / count))
        before, lower = before + count, bound
    return lower
