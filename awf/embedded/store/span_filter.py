"""Conditions on spans as SQL over the columns of `spans`, where attributes are canonical JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from awf.embedded.blocks import encode
from awf.embedded.model import ATTRIBUTE, SpanCondition, SpanMention, SpanTest

_COLUMNS: Final = frozenset(
    {"name", "kind", "status", "status_message", "scope_name", "scope_version", "trace_id", "span_id"}
)
_MENTIONS: Final = frozenset({"attributes", "resource", "events", "links"})
_OPERATORS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL with a question mark for each value."""

    sql: str
    values: tuple[object, ...] = ()


def condition(where: SpanCondition) -> Condition:
    """Return what a row must fulfil. Raises ValueError for a column or operator that there is not."""
    if isinstance(where, SpanTest):
        return _test(where)
    if isinstance(where, SpanMention):
        if where.column not in _MENTIONS:
            raise ValueError(f"not a column with attributes: {where.column!r}")
        text = encode([where.text])[1:-1]
        return Condition(f"contains({where.column}, ?)", (f"{text}:" if where.is_key else text,))
    parts = [condition(part) for part in where.parts]
    joined = (" and " if where.is_all else " or ").join(f"({part.sql})" for part in parts)
    default = "true" if where.is_all else "false"
    return Condition(joined or default, tuple(value for part in parts for value in part.values))


def group_column(name: str) -> Condition:
    """Return SQL for a column to group by. Raises ValueError for one that there is not."""
    if name.startswith(ATTRIBUTE):
        key = re.sub(r'(["\\])', r"\\\1", name.removeprefix(ATTRIBUTE))
        return Condition("json_extract(attributes, ?)", (f'$."{key}"',))
    if name == "size":
        return Condition("case when end_ns - start_ns < 2 then 0 else strlen(bin(end_ns - start_ns - 1)) end")
    if name != "resource" and name not in _COLUMNS:
        raise ValueError(f"not a column of spans: {name!r}")
    return Condition(name)


def _test(test: SpanTest) -> Condition:
    if test.column == "duration_ns":
        column = "(end_ns - start_ns)"
    elif test.column in _COLUMNS:
        column = test.column
    else:
        raise ValueError(f"not a column of spans: {test.column!r}")
    if test.op == "=~":
        return Condition(f"regexp_full_match({column}, ?)", (f"(?s:{test.value})",))
    if test.op not in _OPERATORS:
        raise ValueError(f"not a comparison: {test.op!r}")
    return Condition(f"{column} {test.op} ?", (test.value,))
