"""label_replace and label_join."""

from __future__ import annotations

import re
from collections.abc import Sequence

from awf.embedded.promql.values import Labels, Vector, is_label_name, merge
from awf.embedded.regex import compile_re2
from awf.errors import QueryError

_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


def label_replace(vector: Vector, target: str, template: str, source: str, pattern: str) -> Vector:
    """Set a label from another one where that matches. Raises QueryError for a bad name or pattern."""
    _check_target(target, "label_replace")
    regex = compile_re2(pattern)

    def changed(labels: Labels) -> Labels:
        found = regex.fullmatch(labels.get(source, ""))
        return _with(labels, target, _expand(template, found)) if found else labels

    return merge(Vector([changed(labels) for labels in vector.labels], vector.values, vector.present))


def label_join(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """Set a label to others' values joined. Raises QueryError for a bad name."""
    _check_target(target, "label_join")
    labels = [
        _with(item, target, separator.join(item.get(name, "") for name in sources)) for item in vector.labels
    ]
    return merge(Vector(labels, vector.values, vector.present))


def _check_target(name: str, function: str) -> None:
    if not is_label_name(name):
        shown = name.encode(errors="surrogateescape").decode(errors="replace")
        raise QueryError(f"invalid destination label name in {function}(): {shown}")


def _with(labels: Labels, name: str, value: str) -> Labels:
    changed = {**labels, name: value}
    if not value:
        del changed[name]
    return changed


def _expand(template: str, found: re.Match[str]) -> str:
    """Expand `$1`, `${1}`, `$name` and `$$` as Go does: the longest name, unknown ones empty."""

    def value(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        try:
            return found[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(value, template)
