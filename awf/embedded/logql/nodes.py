"""The syntax tree of LogQL. Frozen, so that a parsed query can be shared between threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from awf.embedded.model import Matcher

# -- pipeline stages


@dataclass(frozen=True, slots=True)
class LineFilter:
    """`|= "a" or ip("b")`: for the negative operators nothing may match."""

    op: Literal["|=", "!=", "|~", "!~", "|>", "!>"]
    texts: tuple[str, ...]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonStage:
    """`json`, or `json name="path"` when there are extractions (name, path)."""

    extractions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LogfmtStage:
    strict: bool = False
    keep_empty: bool = False
    extractions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RegexpStage:
    pattern: str


@dataclass(frozen=True, slots=True)
class PatternStage:
    pattern: str


@dataclass(frozen=True, slots=True)
class UnpackStage:
    pass


@dataclass(frozen=True, slots=True)
class DecolorizeStage:
    pass


@dataclass(frozen=True, slots=True)
class LineFormat:
    template: str


@dataclass(frozen=True, slots=True)
class LabelAssignment:
    """`name=source` renames, `name="template"` sets."""

    name: str
    value: str
    renames: bool


@dataclass(frozen=True, slots=True)
class LabelFormat:
    assignments: tuple[LabelAssignment, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Drop labels by name, or only when the matcher accepts the value."""

    targets: tuple[str | Matcher, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    targets: tuple[str | Matcher, ...]


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """A string comparison; a missing label counts as the empty string."""

    matcher: Matcher


@dataclass(frozen=True, slots=True)
class LabelCompare:
    """A comparison with a number, a duration in ns or a size in bytes; a missing label is dropped."""

    name: str
    op: str
    value: float
    unit: Literal["number", "duration", "bytes"]


@dataclass(frozen=True, slots=True)
class LabelAddress:
    """`name = ip("pattern")`; a missing label is dropped."""

    name: str
    pattern: str
    negative: bool


@dataclass(frozen=True, slots=True)
class LabelAnd:
    filters: tuple[LabelFilter, ...]


@dataclass(frozen=True, slots=True)
class LabelOr:
    filters: tuple[LabelFilter, ...]


LabelFilter: TypeAlias = LabelMatch | LabelCompare | LabelAddress | LabelAnd | LabelOr
Stage: TypeAlias = (
    LineFilter | JsonStage | LogfmtStage | RegexpStage | PatternStage | UnpackStage | DecolorizeStage
    | LineFormat | LabelFormat | Drop | Keep | LabelFilter
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A stream selector and its pipeline."""

    matchers: tuple[Matcher, ...]
    stages: tuple[Stage, ...] = ()


# -- metric queries


@dataclass(frozen=True, slots=True)
class Unwrap:
    name: str
    conversion: Literal["", "bytes", "duration"] = ""


@dataclass(frozen=True, slots=True)
class LogRange:
    """Entries of a window: `filters` run after `unwrap`."""

    query: LogQuery
    range_ns: int
    offset_ns: int = 0
    unwrap: Unwrap | None = None
    filters: tuple[LabelFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class Grouping:
    names: tuple[str, ...]
    without: bool = False


@dataclass(frozen=True, slots=True)
class RangeAggregation:
    op: str
    range: LogRange
    grouping: Grouping | None = None
    parameter: float | None = None


@dataclass(frozen=True, slots=True)
class VectorAggregation:
    op: str
    operand: Metric
    grouping: Grouping | None = None
    parameter: int | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """Vector matching on these labels, or on all but these; `bool` turns filters into 0/1.

    `many` is the side that may have several partners, and keeps its labels; `include` come from the other."""

    on: bool = False
    names: tuple[str, ...] = ()
    returns_bool: bool = False
    many: Literal["", "left", "right"] = ""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: Metric
    right: Metric
    matching: Matching


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class VectorLiteral:
    value: float


@dataclass(frozen=True, slots=True)
class LabelReplace:
    operand: Metric
    destination: str
    replacement: str
    source: str
    pattern: str


Metric: TypeAlias = RangeAggregation | VectorAggregation | Binary | Number | VectorLiteral | LabelReplace
Query: TypeAlias = LogQuery | Metric
