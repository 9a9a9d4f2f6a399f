"""Which samples an expression can see, told from its text alone."""

from __future__ import annotations

from awf.embedded.changes import LATEST_MS
from awf.embedded.promql.syntax import Node, Selector, Subquery, walk


def newest_read_ms(node: Node, end_ms: int) -> int:
    """Return the time of the newest sample that the value up to `end_ms` can depend on."""
    return end_ms if looks_back_only(node) else LATEST_MS


def looks_back_only(node: Node) -> bool:
    """Tell whether the value at a time depends on samples of that time and before alone."""
    return not any(_may_look_elsewhere(item) for item in walk(node))


def _may_look_elsewhere(node: Node) -> bool:
    match node:
        case Selector():
            is_plain = node.at is None and node.offset_expr is None and node.extension != "smoothed"
            return not is_plain or node.offset_ms < 0
        case Subquery():
            return node.at is not None or node.offset_expr is not None or node.offset_ms < 0
        case _:
            return False
