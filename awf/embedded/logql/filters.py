"""Line filters and label filters as functions of one entry."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

from awf.embedded.logql import nodes, units
from awf.embedded.logql.entry import Entry
from awf.embedded.logql.extract import LineShape, Step
from awf.embedded.logql.ip import ip_test
from awf.embedded.logql.regex import line_pattern

LABEL_FILTER_ERROR: Final = "LabelFilterErr"

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_READ: Final[dict[str, Callable[[str], float]]] = {
    "number": units.number,
    "duration": units.duration_ns,
    "bytes": units.size_bytes,
}


def line_filter(node: nodes.LineFilter) -> Step:
    negative = node.op.startswith("!")
    if node.op in {"|=", "!="}:
        texts, tests = node.texts, [ip_test(text) for text in node.addresses]
        return lambda entry: (
            (any(text in entry.line for text in texts) or any(test(entry.line) for test in tests))
            is not negative
        )
    if node.op in {"|>", "!>"}:
        shapes = [LineShape.parse(text) for text in node.texts]
        return lambda entry: any(shape.fits(entry.line) for shape in shapes) is not negative
    patterns = [line_pattern(text) for text in node.texts]
    return lambda entry: any(pattern.search(entry.line) for pattern in patterns) is not negative


def label_filter(node: nodes.LabelFilter) -> Step:
    match node:
        case nodes.LabelMatch():
            name, test = node.matcher.name, node.matcher.matches
            return lambda entry: test(entry.text(name))
        case nodes.LabelCompare():
            return _comparison(node)
        case nodes.LabelAddress():
            return _address(node)
        case nodes.LabelAnd():
            # Every filter runs: one that fails to read its label must leave its error behind.
            steps = [label_filter(child) for child in node.filters]
            return lambda entry: all([step(entry) for step in steps])  # noqa: C419
        case nodes.LabelOr():
            steps = [label_filter(child) for child in node.filters]
            return lambda entry: any(step(entry) for step in steps)


def _comparison(node: nodes.LabelCompare) -> Step:
    """A label that cannot be read keeps the entry and marks it with an error, as Loki does."""
    name, wanted, compare, read = node.name, node.value, _COMPARE[node.op], _READ[node.unit]

    def step(entry: Entry) -> bool:
        text = entry.get(name)
        if text is None:
            return False
        try:
            return compare(read(text), wanted)
        except ValueError as error:
            if not entry.error:
                entry.fail(LABEL_FILTER_ERROR, str(error))
            return True

    return step


def _address(node: nodes.LabelAddress) -> Step:
    """An entry that has an error already stays: only string comparisons filter those."""
    name, negative, test = node.name, node.negative, ip_test(node.pattern)

    def step(entry: Entry) -> bool:
        if entry.error:
            return True
        text = entry.get(name)
        return text is not None and test(text) is not negative

    return step


def label_names(node: nodes.LabelFilter) -> frozenset[str]:
    """Return the labels that a filter reads."""
    match node:
        case nodes.LabelMatch():
            return frozenset({node.matcher.name})
        case nodes.LabelCompare() | nodes.LabelAddress():
            return frozenset({node.name})
        case nodes.LabelAnd() | nodes.LabelOr():
            return frozenset[str]().union(*(label_names(child) for child in node.filters))
