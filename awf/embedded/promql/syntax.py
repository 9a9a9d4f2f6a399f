"""The expression tree the evaluator walks: PromQL after parsing, with what is not supported refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from awf.embedded.model import Matcher

Kind = Literal["scalar", "vector", "matrix", "string"]
At = int | Literal["start", "end"] | None
"""The `@` modifier: milliseconds since the epoch, or the start or end of the whole query."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant selector; the metric name is among the matchers."""

    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: At = None


@dataclass(frozen=True, slots=True)
class RangeSelector:
    selector: Selector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    expr: Node
    range_ms: int
    step_ms: int | None
    offset_ms: int = 0
    at: At = None


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: tuple[Node, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Aggregate:
    op: str
    expr: Node
    param: Node | None
    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True)
class Unary:
    """Negation; a unary plus leaves no trace."""

    expr: Node


@dataclass(frozen=True, slots=True)
class Matching:
    """How a binary operator pairs series. `many` is the side that may have several per match."""

    on: bool
    labels: tuple[str, ...]
    many: Literal["left", "right"] | None
    include: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    lhs: Node
    rhs: Node
    matching: Matching
    returns_bool: bool


Node = Number | Text | Selector | RangeSelector | Subquery | Call | Aggregate | Unary | Binary


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
        case Unary():
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
        case Subquery() | Unary():
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
