"""How label filters bind to each other: `and` before `or`, and commas in Loki's own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from awf.embedded.logql import nodes


def joined(first: nodes.LabelFilter, rest: Sequence[Any]) -> nodes.LabelFilter:
    """Join as Loki's grammar does: `and` before `or`, and a comma (or nothing) takes the one operand
    before it together with all that follows: `a or b, c or d` is `a or (b and (c or d))`."""
    segments: list[list[tuple[str, nodes.LabelFilter]]] = [[("or", first)]]
    for item in rest:
        joiner, operand = item if isinstance(item, tuple) else (",", item)
        if joiner == ",":
            segments.append([("or", operand)])
        else:
            segments[-1].append((joiner, operand))
    result = _join(segments.pop())
    while segments:
        segment = segments.pop()
        joiner, operand = segment[-1]
        segment[-1] = (joiner, _all_of([operand, result]))
        result = _join(segment)
    return result


def _all_of(filters: list[nodes.LabelFilter]) -> nodes.LabelFilter:
    flat: list[nodes.LabelFilter] = []
    for item in filters:
        flat.extend(item.filters if isinstance(item, nodes.LabelAnd) else (item,))
    return flat[0] if len(flat) == 1 else nodes.LabelAnd(tuple(flat))


def _join(operands: list[tuple[str, nodes.LabelFilter]]) -> nodes.LabelFilter:
    """Join operands by the `and` or `or` before each."""
    groups: list[list[nodes.LabelFilter]] = []
    for joiner, operand in operands:
        if joiner == "or":
            groups.append([operand])
        else:
            groups[-1].append(operand)
    parts = tuple(_all_of(group) for group in groups)
    return parts[0] if len(parts) == 1 else nodes.LabelOr(parts)
