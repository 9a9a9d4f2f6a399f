"""The syntax tree of TraceQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

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
        return f"{wrapped(self.operand)} {suffix}" if suffix else f"{self.op}{wrapped(self.operand)}"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    op: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{wrapped(self.left)} {self.op} {wrapped(self.right)}"


@dataclass(frozen=True, slots=True)
class Compare:
    op: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{wrapped(self.left)} {self.op} {wrapped(self.right)}"


@dataclass(frozen=True, slots=True)
class Logic:
    """A chain of one operator, `&&` or `||`."""

    op: str
    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        first, *rest = (wrapped(operand) for operand in self.operands)
        for operand in rest[:-1]:
            first = f"({first} {self.op} {operand})"
        return f"{first} {self.op} {rest[-1]}"


def wrapped(expression: object) -> str:
    """Return an expression's text, in parentheses where it has parts."""
    return str(expression) if isinstance(expression, (Literal, Field)) else f"({expression})"


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
    """The function that turns spans to series: rate(), quantile_over_time(duration, .9) by (name), ..."""

    function: str
    field: Field | None = None
    quantiles: tuple[float, ...] = ()
    by: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """`compare({...}, top, start, end)`: counts the values of all attributes, inside the filter and outside."""

    selection: Filter
    top: int = 10
    start_ns: int = 0
    end_ns: int = 0

    function: ClassVar[str] = "compare"


@dataclass(frozen=True, slots=True)
class Measured:
    """Spans and the function that makes series of them: the leaf of every metrics query."""

    pipeline: Pipeline
    metric: Metric | Comparison


@dataclass(frozen=True, slots=True)
class Ranked:
    """`topk(n)` and `bottomk(n)`: for each step the series with the largest or smallest values."""

    operand: Series
    function: str
    limit: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """Keeps the points that compare with a number as asked."""

    operand: Series
    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """Arithmetic of every point with a number."""

    op: str
    operand: Series
    value: float
    is_number_left: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """Arithmetic between the series of two queries that have the same labels."""

    op: str
    left: Series
    right: Series


Series = Measured | Ranked | Threshold | Scaled | Joined


@dataclass(frozen=True, slots=True)
class Query:
    """A search, or with `Series` a metrics query."""

    body: Pipeline | Series
    exemplars: int | None = None  # what `with (exemplars = ...)` asks for


def children(node: object) -> tuple[object, ...]:
    """Return a node's direct parts."""
    found: tuple[object, ...] = ()
    match node:
        case Unary() | Aggregate():
            found = () if node.operand is None else (node.operand,)
        case Arithmetic() | Compare() | Structural() | Joined():
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
        case Measured():
            found = (node.pipeline, node.metric)
        case Comparison():
            found = (node.selection,)
        case Ranked() | Threshold() | Scaled():
            found = (node.operand,)
        case Query():
            found = (node.body,)
    return found


def walk(node: object) -> Iterator[object]:
    """Yield a tree's nodes in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def fields_of(node: object) -> Iterator[Field]:
    """Yield every field that a tree names, in the order of the text."""
    return (part for part in walk(node) if isinstance(part, Field))
