"""Structural operators: which spans of one set are related to some span of another, within one trace.

Every walk visits a span at most once, so that a trace whose parents form a loop ends too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from awf.embedded.traceql.traces import SpanView

Spans = Sequence[SpanView]
Relation = Callable[[Spans, Spans], set[SpanView]]


def relate(op: str, left: Spans, right: Spans) -> list[SpanView]:
    """Return the spans that `left op right` keeps.

    Plain operators keep the right side's spans that are related to some on the left, `!` those that are
    not, `&` the related ones of both sides.
    """
    prefix, name = (op[0], op[1:]) if op[0] in "!&" else ("", op)
    found = _RELATIONS[name](left, right)
    if prefix == "!":
        return [view for view in right if view not in found]
    matched = [view for view in right if view in found]
    if prefix == "&":
        back = _RELATIONS[_INVERSE[name]](right, left)
        matched += [view for view in left if view in back and view not in found]
    return matched


def _children(left: Spans, right: Spans) -> set[SpanView]:
    parents = set(left)
    return {view for view in right if view.parent in parents}


def _parents(left: Spans, right: Spans) -> set[SpanView]:
    return {view.parent for view in left if view.parent} & set(right)


def _descendants(left: Spans, right: Spans) -> set[SpanView]:
    """Spans of `right` below one of `left`: each path to the root is walked once."""
    tops = set(left)
    below: dict[SpanView, bool] = {}
    for view in right:
        path: list[SpanView] = []
        current: SpanView | None = view
        answer = False
        while current is not None and current not in below:
            below[current] = False
            path.append(current)
            current = current.parent
            if current in tops:
                answer = True
                break
        else:
            answer = current is not None and below[current]
        for step in path:
            below[step] = answer
    return {view for view in right if below[view]}


def _ancestors(left: Spans, right: Spans) -> set[SpanView]:
    above: set[SpanView] = set()
    for view in left:
        current = view.parent
        while current is not None and current not in above:
            above.add(current)
            current = current.parent
    return above & set(right)


def _siblings(left: Spans, right: Spans) -> set[SpanView]:
    """Two spans of one parent; roots are siblings of each other, spans whose parent is missing of none."""
    families: dict[str, set[SpanView]] = {}
    for view in left:
        families.setdefault(_family(view), set()).add(view)
    return {
        view
        for view in right
        if (view.is_root or view.parent) and families.get(_family(view), set()) - {view}
    }


def _family(view: SpanView) -> str:
    return "" if view.is_root else view.span.parent_span_id


_RELATIONS: Final[dict[str, Relation]] = {
    ">": _children,
    "<": _parents,
    ">>": _descendants,
    "<<": _ancestors,
    "~": _siblings,
}
_INVERSE: Final = {">": "<", "<": ">", ">>": "<<", "<<": ">>", "~": "~"}
