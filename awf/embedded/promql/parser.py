"""Text to expression tree, by the `promql-parser` package; refuses what the evaluator does not answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import promql_parser as pp

from awf.embedded.model import Matcher, MatchOp
from awf.embedded.promql import guard
from awf.embedded.promql.catalog import AGGREGATIONS, FUNCTIONS
from awf.embedded.promql.syntax import (
    Aggregate,
    At,
    Binary,
    Call,
    Kind,
    Matching,
    Node,
    Number,
    RangeSelector,
    Selector,
    Subquery,
    Text,
    Unary,
    walk,
)
from awf.embedded.promql.values import NAME
from awf.embedded.regex import compile_re2
from awf.errors import QueryError, UnsupportedQuery

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DURATION = timedelta(days=36_500)
# The package's enums have no hash, so their names are the keys.
_OPS = {
    "MatchOp.Equal": MatchOp.EQUAL, "MatchOp.NotEqual": MatchOp.NOT_EQUAL,
    "MatchOp.Re": MatchOp.REGEX, "MatchOp.NotRe": MatchOp.NOT_REGEX,
}  # fmt: skip
_KINDS: dict[str, Kind] = {
    "ValueType.Scalar": "scalar", "ValueType.Vector": "vector",
    "ValueType.Matrix": "matrix", "ValueType.String": "string",
}  # fmt: skip
_MANY: dict[str, Literal["left", "right"]] = {
    "VectorMatchCardinality.ManyToOne": "left",
    "VectorMatchCardinality.OneToMany": "right",
}


def parse(query: str) -> Node:
    """Parse PromQL. Raises QueryError (its text says where), UnsupportedQuery naming the construct,
    or QueryLimit when it is too long or too deep."""
    admitted = guard.admit(query)
    try:
        return _node(pp.parse(admitted))
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{query.strip()[:200]!r} is not valid PromQL: {error}") from error


def parse_selector(text: str) -> tuple[Matcher, ...]:
    """Parse a series selector, such as a `match[]` parameter. Raises QueryError."""
    node = parse(text)
    if not isinstance(node, Selector) or node.offset_ms or node.at is not None:
        raise QueryError(f"{text.strip()[:200]!r} is not a series selector")
    return node.matchers


def selectors(query: str) -> list[tuple[Matcher, ...]]:
    """Return the matchers of every selector in the query."""
    return [node.matchers for node in walk(parse(query)) if isinstance(node, Selector)]


def format_query(query: str) -> str:
    """Return the query laid out readably. Raises QueryError."""
    parse(query)
    return str(pp.parse(guard.admit(query)).prettify())


def metric_names(query: str) -> set[str]:
    """Return the metric names that the query selects by equality."""
    found = (matcher for matchers in selectors(query) for matcher in matchers)
    return {matcher.value for matcher in found if matcher.name == NAME and matcher.op is MatchOp.EQUAL}


def label_names(query: str) -> set[str]:
    """Return the labels used in matchers, grouping and vector matching, `__name__` left out."""
    names: set[str] = set()
    for node in walk(parse(query)):
        if isinstance(node, Selector):
            names.update(matcher.name for matcher in node.matchers)
        elif isinstance(node, Aggregate):
            names.update(node.labels)
        elif isinstance(node, Binary):
            names.update(node.matching.labels, node.matching.include)
    return names - {NAME}


def _node(expr: Any) -> Node:
    match expr:
        case pp.ParenExpr():
            return _node(expr.expr)
        case pp.NumberLiteral():
            return Number(expr.val)
        case pp.StringLiteral():
            return Text(expr.val)
        case pp.VectorSelector():
            return _selector(expr)
        case pp.MatrixSelector():
            return RangeSelector(_selector(expr.vector_selector), _milliseconds(expr.range))
        case pp.SubqueryExpr():
            step = None if expr.step is None else _milliseconds(expr.step)
            return Subquery(
                _node(expr.expr), _milliseconds(expr.range), step, _milliseconds(expr.offset), _at(expr.at)
            )
        case pp.UnaryExpr():
            return Unary(_node(expr.expr))
        case _:
            return _compound(expr)


def _compound(expr: Any) -> Node:
    match expr:
        case pp.Call():
            return _call(expr)
        case pp.AggregateExpr():
            return _aggregate(expr)
        case pp.BinaryExpr():
            return _binary(expr)
        case _:
            raise UnsupportedQuery(f"the PromQL construct {type(expr).__name__} is not supported")


def _call(expr: Any) -> Call:
    name = expr.func.name
    if name not in FUNCTIONS:
        raise UnsupportedQuery(
            f"the PromQL function {name}() is not supported", hint="Mimir and Prometheus answer it."
        )
    return Call(name, tuple(_node(arg) for arg in expr.args), _KINDS[str(expr.func.return_type)])


def _aggregate(expr: Any) -> Aggregate:
    op = str(expr.op)
    if op not in AGGREGATIONS:
        raise UnsupportedQuery(f"the PromQL aggregation {op}() is not supported")
    modifier = expr.modifier
    return Aggregate(
        op=op,
        expr=_node(expr.expr),
        param=None if expr.param is None else _node(expr.param),
        labels=tuple(modifier.labels) if modifier else (),
        without=bool(modifier) and modifier.type == pp.AggModifierType.Without,
    )


def _binary(expr: Any) -> Binary:
    return Binary(
        op=str(expr.op),
        lhs=_node(expr.lhs),
        rhs=_node(expr.rhs),
        matching=_matching(expr.modifier),
        returns_bool=bool(expr.modifier) and expr.modifier.return_bool,
    )


def _matching(modifier: Any) -> Matching:
    if modifier is None:
        return Matching(on=False, labels=(), many=None, include=())
    fill = modifier.fill_values
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        raise UnsupportedQuery("the PromQL modifier fill() is not supported")
    labels = modifier.matching
    return Matching(
        on=labels is not None and labels.type == pp.LabelModifierType.Include,
        labels=tuple(labels.labels) if labels else (),
        many=_MANY.get(str(modifier.card)),
        include=tuple(modifier.group_labels or ()),
    )


def _selector(expr: Any) -> Selector:
    if expr.matchers.or_matchers:
        raise UnsupportedQuery("'or' between the label matchers of a selector is not supported")
    matchers = [Matcher(m.name, _OPS[str(m.op)], m.value) for m in expr.matchers.matchers]
    for matcher in matchers:
        if matcher.op in (MatchOp.REGEX, MatchOp.NOT_REGEX):
            compile_re2(matcher.value)
    if expr.name is not None:
        matchers.insert(0, Matcher(NAME, MatchOp.EQUAL, expr.name))
    return Selector(tuple(matchers), _milliseconds(expr.offset), _at(expr.at))


def _milliseconds(duration: timedelta | None) -> int:
    if duration is None:
        return 0
    if abs(duration) > _MAX_DURATION:
        raise QueryError(f"the duration {duration} is longer than 100 years")
    return round(duration / timedelta(milliseconds=1))


def _at(modifier: Any) -> At:
    if modifier is None:
        return None
    if modifier.type == pp.AtModifierType.Start:
        return "start"
    if modifier.type == pp.AtModifierType.End:
        return "end"
    moment: datetime = modifier.at
    return round((moment - _EPOCH) / timedelta(milliseconds=1))
