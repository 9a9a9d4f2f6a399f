"""The expression tree: PromQL after parsing. Every node knows which part of the query it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from awf.embedded.model import Matcher

Kind = Literal["scalar", "vector", "matrix", "string"]
At = int | Literal["start", "end"] | None
"""The `@` modifier: milliseconds since the epoch, or the start or end of the whole query."""
Extension = Literal["anchored", "smoothed"] | None
"""How a range takes in samples around its ends."""
Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Span:
    """Where a node is in the query: characters from start up to end."""

    start: int = 0
    end: int = 0

    def upto(self, other: Span) -> Span:
        return Span(self.start, other.end)


NOWHERE = Span()


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration that is computed: `step()`, `range()`, or an operator over durations and seconds."""

    op: str
    operands: tuple[Duration | Number, ...] = ()
    in_parentheses: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    is_duration: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant selector; the metric name is among the matchers, `name` where it stood before them."""

    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: At = None
    name: str = field(default="", compare=False)
    offset_expr: Duration | None = None
    extension: Extension = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RangeSelector:
    selector: Selector
    range_ms: int
    range_expr: Duration | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Subquery:
    expr: Node
    range_ms: int
    step_ms: int | None
    offset_ms: int = 0
    at: At = None
    range_expr: Duration | None = None
    step_expr: Duration | None = None
    offset_expr: Duration | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: tuple[Node, ...]
    kind: Kind
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    op: str
    expr: Node
    param: Node | None
    labels: tuple[str, ...]
    without: bool
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    op: str
    expr: Node
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Paren:
    expr: Node
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Matching:
    """How a binary operator pairs series. `many` is the side that may have several per match; a side's
    `fill` stands in for what it lacks."""

    on: bool = False
    labels: tuple[str, ...] = ()
    many: Side | None = None
    include: tuple[str, ...] = ()
    fill_left: float | None = None
    fill_right: float | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    lhs: Node
    rhs: Node
    matching: Matching
    returns_bool: bool
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Node = Number | Text | Selector | RangeSelector | Subquery | Call | Aggregate | Unary | Paren | Binary


def bare(node: Node) -> Node:
    """Return what is inside any parentheses."""
    while isinstance(node, Paren):
        node = node.expr
    return node


def kind(node: Node) -> Kind:
    """Return the type of the expression's value."""
    match node:
        case Number():
            return "scalar"
        case Text():
            return "string"
        case RangeSelector() | Subquery():
            return "matrix"
        case Call():
            return node.kind
        case Unary() | Paren():
            return kind(node.expr)
        case Binary():
            return "scalar" if kind(node.lhs) == kind(node.rhs) == "scalar" else "vector"
        case _:
            return "vector"


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct sub-expressions."""
    match node:
        case RangeSelector():
            return (node.selector,)
        case Subquery() | Unary() | Paren():
            return (node.expr,)
        case Call():
            return node.args
        case Aggregate():
            return (node.expr,) if node.param is None else (node.param, node.expr)
        case Binary():
            return (node.lhs, node.rhs)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield the expression and everything in it, outermost first."""
    yield node
    for child in children(node):
        yield from walk(child)
