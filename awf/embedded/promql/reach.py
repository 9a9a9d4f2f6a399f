"""Which samples an expression can see, and what its value at a time depends on, told from its text alone."""

from __future__ import annotations

from awf.embedded.changes import LATEST_MS
from awf.embedded.model import MatchOp
from awf.embedded.promql.over_time import KERNELS
from awf.embedded.promql.syntax import (
    Aggregate,
    Binary,
    Call,
    Node,
    Number,
    Paren,
    RangeSelector,
    Selector,
    Subquery,
    Text,
    Unary,
    walk,
)
from awf.embedded.promql.values import NAME

# These add up windows that are padded to the widest, or are computed by vector instructions: the last bit of a value
# may depend on what is computed beside it.
_ROUNDED_TOGETHER = frozenset({"deriv", "predict_linear", "stddev_over_time", "stdvar_over_time"})
_POINTWISE_CALLS = (KERNELS.keys() - _ROUNDED_TOGETHER) | {
    "abs", "absent", "absent_over_time", "ceil", "clamp", "clamp_max", "clamp_min", "floor", "histogram_quantile",
    "label_join", "label_replace", "round", "scalar", "sgn", "time", "timestamp", "vector",
}  # fmt: skip
_ROUNDED_OPERATORS = frozenset({"^", "atan2"})


def newest_read_ms(node: Node, end_ms: int) -> int:
    """Return the time of the newest sample that the value up to `end_ms` can depend on."""
    return LATEST_MS if any(map(_may_look_elsewhere, walk(node))) else end_ms


def is_pointwise(node: Node) -> bool:
    """Tell whether the value at a time depends, to the last bit, only on that time and on samples up to then: not on
    the query's range, and not on what else is computed in it. Not all of those are known to it."""
    return all(map(_is_pointwise, walk(node)))


def _is_pointwise(node: Node) -> bool:
    match node:
        case Number() | Text() | Paren() | Unary() | Aggregate():
            return True
        case Selector():
            return node.extension is None and not _may_look_elsewhere(node)
        case RangeSelector():
            # Functions refuse two metrics of the same labels, even when they are there at different times.
            return node.range_expr is None and _is_of_one_metric(node.selector)
        case Binary():
            return node.op not in _ROUNDED_OPERATORS
        case Call():
            return node.name in _POINTWISE_CALLS
        case _:
            return False


def _is_of_one_metric(selector: Selector) -> bool:
    return any(matcher.name == NAME and matcher.op is MatchOp.EQUAL for matcher in selector.matchers)


def _may_look_elsewhere(node: Node) -> bool:
    """Tell whether it may look at other times than the query's and those before them."""
    match node:
        case Selector():
            is_plain = node.at is None and node.offset_expr is None and node.extension != "smoothed"
            return not is_plain or node.offset_ms < 0
        case Subquery():
            return node.at is not None or node.offset_expr is not None or node.offset_ms < 0
        case _:
            return False
