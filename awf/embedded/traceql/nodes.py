"""The syntax tree of TraceQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from awf.embedded.traceql.values import Type, Value, text_of


class Scope(StrEnum):
    """Where an attribute is looked up; NONE searches the span first, then its resource."""

    NONE = ""
    SPAN = "span"
    RESOURCE = "resource"
    EVENT = "event"
    LINK = "link"
    INTRINSIC = "intrinsic"


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value

    def __str__(self) -> str:
        return f"`{self.value}`" if isinstance(self.value, str) else text_of(self.value)


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute, or an intrinsic by its full name (`duration`, `span:id`)."""

    scope: Scope
    name: str
    type: Type | None = None  # known for intrinsics only

    def __str__(self) -> str:
        return self.name if self.scope is Scope.INTRINSIC else f"{self.scope}.{self.name}"


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `!`, and the comparisons with nil: `exists` and `missing`."""

    op: str
    operand: Expression

    def __str__(self) -> str:
        suffix = {"exists": "!= nil", "missing": "= nil"}.get(self.op)
        return f"({self.operand} {suffix})" if suffix else f"{self.op}{self.operand}"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    op: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"({self.left} {self.op} {self.right})"


@dataclass(frozen=True, slots=True)
class Compare:
    op: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"({self.left} {self.op} {self.right})"


@dataclass(frozen=True, slots=True)
class Logic:
    """A chain of one operator, `&&` or `||`."""

    op: str
    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        return "(" + f" {self.op} ".join(str(operand) for operand in self.operands) + ")"


Expression = Literal | Field | Unary | Arithmetic | Compare | Logic


@dataclass(frozen=True, slots=True)
class Filter:
    """`{ ... }`: keeps the spans for which the expression is true."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class SpansetLogic:
    """A chain of `&&` or `||` between spansets."""

    op: str
    operands: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Structural:
    """A relation between the spans of two sets: `>`, `>>`, `~` and their negated and union forms."""

    op: str
    left: Stage
    right: Stage


@dataclass(frozen=True, slots=True)
class Pipeline:
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    function: str  # count | avg | max | min | sum
    operand: Expression | None

    def __str__(self) -> str:
        return f"{self.function}({'' if self.operand is None else self.operand})"


@dataclass(frozen=True, slots=True)
class ScalarFilter:
    """Keeps the spansets whose aggregate compares as asked."""

    aggregate: Aggregate
    op: str
    value: int | float


@dataclass(frozen=True, slots=True)
class GroupBy:
    expression: Expression


@dataclass(frozen=True, slots=True)
class Coalesce:
    pass


@dataclass(frozen=True, slots=True)
class Select:
    fields: tuple[Field, ...]


Stage = Filter | SpansetLogic | Structural | Pipeline | ScalarFilter | GroupBy | Coalesce | Select


@dataclass(frozen=True, slots=True)
class Metric:
    """The metrics function that ends a query: rate(), quantile_over_time(duration, .9) by (name), ..."""

    function: str
    field: Field | None = None
    quantiles: tuple[float, ...] = ()
    by: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    pipeline: Pipeline
    metric: Metric | None = None


def children(node: object) -> tuple[object, ...]:
    """Return a node's direct parts."""
    found: tuple[object, ...] = ()
    match node:
        case Unary() | Aggregate():
            found = () if node.operand is None else (node.operand,)
        case Arithmetic() | Compare() | Structural():
            found = (node.left, node.right)
        case Logic() | SpansetLogic():
            found = node.operands
        case Filter() | GroupBy():
            found = (node.expression,)
        case Pipeline():
            found = node.stages
        case ScalarFilter():
            found = (node.aggregate,)
        case Select():
            found = node.fields
        case Query():
            found = (node.pipeline,)
    return found


def walk(node: object) -> Iterator[object]:
    """Yield a tree's nodes in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def fields_of(node: object) -> Iterator[Field]:
    """Yield every field that a tree names, in the order of the text."""
    return (part for part in walk(node) if isinstance(part, Field))
