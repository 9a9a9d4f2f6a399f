"""`label_replace` over a frame."""

from __future__ import annotations

import re
from typing import Final

from awf.embedded.logql import nodes
from awf.embedded.logql.frame import Frame, LabelSet, label_set
from awf.embedded.regex import compile_re2

_REFERENCE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


def evaluate(node: nodes.LabelReplace, frame: Frame) -> Frame:
    """As Prometheus: the pattern must match the whole value; an empty result removes the label."""
    pattern = compile_re2(node.pattern)

    def replaced(labels: LabelSet) -> LabelSet:
        values = dict(labels)
        found = pattern.fullmatch(values.get(node.source, ""))
        if found is not None:
            values[node.destination] = _expand(node.replacement, found)
        return label_set({name: value for name, value in values.items() if value or name != node.destination})

    rows = zip(map(replaced, frame.labels), frame.values, frame.present, strict=True)
    return Frame.build(rows, frame.steps)


def _expand(template: str, found: re.Match[str]) -> str:
    """Expand `$1`, `${name}` and `$$` as Go does; a group that is not there is empty."""

    def text(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        if name.isdigit():
            return (found[int(name)] or "") if int(name) <= (found.re.groups or 0) else ""
        return found.groupdict("").get(name, "")

    return _REFERENCE.sub(text, template)
