"""The metrics part of a query, from what the grammar read to nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from lark import Token

from awf.embedded.traceql import nodes
from awf.embedded.traceql.complaints import misplaced
from awf.embedded.traceql.nodes import Field
from awf.embedded.traceql.values import Duration
from awf.errors import QueryError, UnsupportedQuery

_NS: Final = 1_000_000_000
_OVER_FIELD: Final = frozenset(
    {"min_over_time", "max_over_time", "avg_over_time", "sum_over_time", "histogram_over_time"}
)
_COUNTS: Final = frozenset({"rate", "count_over_time"})
RANKS: Final = frozenset({"topk", "bottomk"})
FIRST_STAGES: Final = _OVER_FIELD | _COUNTS | {"quantile_over_time", "compare"}
_MATH: Final = frozenset("+-*/")
_COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_MAX_BY: Final = 5
_WITH_OWN_LABEL: Final = frozenset({"avg_over_time", "histogram_over_time", "quantile_over_time"})
"""Functions that need one of the five labels for themselves."""
_MAX_TOP: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rank:
    """`topk(3)` as a stage."""

    function: str
    limit: int


@dataclass(frozen=True, slots=True)
class Bounded:
    """A stage that is compared with numbers: `rate() > 5`."""

    stage: nodes.Metric | nodes.Comparison | Rank | nodes.Series
    thresholds: tuple[tuple[str, float], ...]


METRIC_STAGES: Final = (nodes.Metric, nodes.Comparison, Rank, Bounded, *nodes.Series.__args__)


def call(name: Token, arguments: Sequence[Any], by: Sequence[Any]) -> nodes.Metric | nodes.Comparison | Rank:
    """Return the stage of a metrics function. Raises QueryError at its name."""
    if by and (name in RANKS or name == "compare"):
        raise misplaced(name, f"{name}() takes no by()")
    if name in RANKS:
        return Rank(str(name), _whole(name, arguments[0] if len(arguments) == 1 else None, "a whole number"))
    if name == "compare":
        return _compare(name, arguments)
    return _metric(name, arguments, tuple(_field(item, f"{name}() by") for item in by))


def bound(name: Token, stage: Any, value: Any) -> Bounded:
    """Return `stage op value`; `name` is the operator."""
    if name not in _COMPARISONS:
        raise misplaced(name, f"{name} does not compare a metric with a number")
    if not isinstance(value, (int, float)):
        raise UnsupportedQuery(f"a metric can be compared ({name}) with a number only")
    number = value / _NS if isinstance(value, Duration) else float(value)
    if isinstance(stage, Bounded):
        return Bounded(stage.stage, (*stage.thresholds, (str(name), number)))
    return Bounded(stage, ((str(name), number),))


def calculate(op: Token, left: Any, right: Any) -> nodes.Series:
    """Return arithmetic of which at least one side is a metric."""
    for side in (left, right):
        if isinstance(side, (nodes.Metric, nodes.Comparison, Rank, Bounded)):
            raise misplaced(
                op, "arithmetic needs its metrics in parentheses", hint="Write ({} | rate()) / ({} | rate())."
            )
        if isinstance(side, Duration):
            raise misplaced(op, "a duration cannot be used in arithmetic with metrics")
    if op not in _MATH:
        raise misplaced(op, f"{op} is not known between metrics; +, -, * and / are")
    if isinstance(right, (int, float)):
        return nodes.Scaled(str(op), left, float(right), is_number_left=False)
    if isinstance(left, (int, float)):
        return nodes.Scaled(str(op), right, float(left), is_number_left=True)
    return nodes.Joined(str(op), left, right)


def pipeline(stages: Sequence[nodes.Stage], endings: Sequence[Any]) -> nodes.Series:
    """Return the series of a pipeline whose first stages are about spans and whose others are not."""
    series = _step(stages, None, endings[0])
    for ending in endings[1:]:
        series = _step(stages, series, ending)
    _check_compare(series)
    return series


def _step(stages: Sequence[nodes.Stage], series: nodes.Series | None, ending: Any) -> nodes.Series:
    if not isinstance(ending, Bounded):
        return _then(stages, series, ending)
    found = _then(stages, series, ending.stage)
    for op, value in ending.thresholds:
        found = nodes.Threshold(found, op, value)
    return found


def _then(stages: Sequence[nodes.Stage], series: nodes.Series | None, ending: Any) -> nodes.Series:
    if isinstance(ending, Rank):
        if series is None:
            raise QueryError(f"{ending.function}() needs a metric before it, such as {{}} | rate()")
        return nodes.Ranked(series, ending.function, ending.limit)
    if series is not None:
        raise QueryError("one metrics function ends a pipeline; only topk() and bottomk() can follow")
    if isinstance(ending, (nodes.Metric, nodes.Comparison)):
        if not stages:
            raise QueryError("a metrics function needs spans to count, such as {} | rate()")
        return nodes.Measured(nodes.Pipeline(tuple(stages)), ending)
    if stages:
        raise QueryError("metrics in parentheses must stand first")
    found: nodes.Series = ending
    return found


def _check_compare(series: nodes.Series) -> None:
    if isinstance(series, nodes.Measured):
        return
    if any(isinstance(part, nodes.Comparison) for part in nodes.walk(series)):
        raise QueryError("compare() cannot be used with topk(), bottomk(), comparisons or arithmetic")


def _field(part: Any, where: str) -> Field:
    if not isinstance(part, Field):
        raise QueryError(f"{where} takes attributes, such as span.agent_id or name")
    return part


def _metric(name: Token, arguments: Sequence[Any], by: tuple[Field, ...]) -> nodes.Metric:
    most = _MAX_BY - (name in _WITH_OWN_LABEL)
    if len(by) > most:
        raise UnsupportedQuery(f"{name}() by more than {most} attributes is not supported")
    if name in _COUNTS:
        if arguments:
            raise misplaced(name, f"{name}() takes no argument")
        return nodes.Metric(str(name), by=by)
    if not arguments:
        raise misplaced(name, f"{name}() takes an attribute, such as {name}(duration)")
    field, *numbers = arguments
    quantiles = tuple(_quantile(name, number) for number in numbers)
    if bool(quantiles) != (name == "quantile_over_time"):
        what = "an attribute" if quantiles else "quantiles after the attribute"
        raise misplaced(name, f"{name}() takes {what}")
    return nodes.Metric(str(name), _field(field, f"{name}()"), quantiles, by)


def _compare(name: Token, arguments: Sequence[Any]) -> nodes.Comparison:
    if len(arguments) not in {1, 2, 4} or not isinstance(arguments[0], nodes.Filter):
        raise misplaced(name, "compare() takes a spanset, the number of values, and a start and an end")
    numbers = [_whole(name, part, "whole numbers after its spanset") for part in arguments[1:]]
    top, start, end = [*numbers, *(10, 0, 0)[len(numbers) :]]
    if not 1 <= top <= _MAX_TOP:
        raise misplaced(name, f"compare() shows 1 to {_MAX_TOP} values an attribute, not {top}")
    if start >= end and (start or end):
        raise misplaced(name, "the end of compare() must be after its start")
    return nodes.Comparison(arguments[0], top, start, end)


def _whole(name: Token, part: Any, what: str) -> int:
    value = part.value if isinstance(part, nodes.Literal) else None
    if type(value) is not int or (name in RANKS and value < 1):
        raise misplaced(name, f"{name}() takes {what}")
    return value


def _quantile(name: Token, part: Any) -> float:
    value = part.value if isinstance(part, nodes.Literal) else None
    if not isinstance(value, (int, float)) or isinstance(value, Duration) or not 0 <= value <= 1:
        raise misplaced(name, f"{name}() takes quantiles from 0 to 1, such as .99")
    return float(value)
