"""Structural operators: which spans of one set are related to some span of another, within one trace.

Spans stand in nested sets: a span lies below another when its bounds lie within the other's. Spans that no
root reaches have no bounds and are related to nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from awf.embedded.traceql.seen import SeenSpan

Spans = Sequence[SeenSpan]
Relation = Callable[[Spans, Spans], set[SeenSpan]]


def relate(op: str, left: Spans, right: Spans) -> list[SeenSpan]:
    """Return the spans that `left op right` keeps.

    Plain operators keep the right side's spans that are related to some on the left, `!` those that are
    not, `&` the related ones of both sides.
    """
    prefix, name = (op[0], op[1:]) if op[0] in "!&" else ("", op)
    found = _RELATIONS[name](left, right)
    if prefix == "!":
        return [seen for seen in right if seen not in found]
    matched = [seen for seen in right if seen in found]
    if prefix == "&":
        back = _RELATIONS[_INVERSE[name]](right, left)
        matched += [seen for seen in left if seen in back and seen not in found]
    return matched


def _children(left: Spans, right: Spans) -> set[SeenSpan]:
    parents = {seen.bounds[0] for seen in left} - {0}
    return {seen for seen in right if seen.bounds[2] in parents}


def _parents(left: Spans, right: Spans) -> set[SeenSpan]:
    wanted = {seen.bounds[2] for seen in left} - {0}
    return {seen for seen in right if seen.bounds[0] in wanted}


def _descendants(left: Spans, right: Spans) -> set[SeenSpan]:
    """Walk both sets by their left bounds: of the open tops the one that ends last decides."""
    found = set()
    tops = sorted(seen.bounds[:2] for seen in left if seen.bounds[0])
    at, end = 0, 0
    for seen in sorted(right, key=lambda seen: seen.bounds[0]):
        while at < len(tops) and tops[at][0] < seen.bounds[0]:
            end = max(end, tops[at][1])
            at += 1
        if 0 < seen.bounds[1] < end:
            found.add(seen)
    return found


def _ancestors(left: Spans, right: Spans) -> set[SeenSpan]:
    """The mirror of `_descendants`: a span is above when the next left bound within it is one of `left`."""
    found = set()
    starts = sorted((seen.bounds[0] for seen in left if seen.bounds[0]), reverse=True)
    at, nearest = 0, 0
    for seen in sorted(right, key=lambda seen: -seen.bounds[0]):
        while at < len(starts) and starts[at] > seen.bounds[0]:
            nearest = starts[at]
            at += 1
        if seen.bounds[0] and seen.bounds[0] < nearest < seen.bounds[1]:
            found.add(seen)
    return found


def _siblings(left: Spans, right: Spans) -> set[SeenSpan]:
    """Two spans of one parent; roots are siblings of each other."""
    sizes = Counter(seen.bounds[2] for seen in left)
    members = set(left)
    return {seen for seen in right if seen.bounds[2] and sizes[seen.bounds[2]] > (seen in members)}


_RELATIONS: Final[dict[str, Relation]] = {
    ">": _children,
    "<": _parents,
    ">>": _descendants,
    "<<": _ancestors,
    "~": _siblings,
}
_INVERSE: Final = {">": "<", "<": ">", ">>": "<<", "<<": ">>", "~": "~"}
