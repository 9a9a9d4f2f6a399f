"""`label_replace` over a frame."""

from __future__ import annotations

from awf.embedded.logql import nodes
from awf.embedded.logql.frame import Frame, LabelSet, label_set
from awf.embedded.logql.regex import expand
from awf.embedded.regex import compile_re2


def evaluate(node: nodes.LabelReplace, frame: Frame) -> Frame:
    """As Prometheus: the pattern must match the whole value; an empty result removes the label."""
    pattern = compile_re2(node.pattern)

    def replaced(labels: LabelSet) -> LabelSet:
        values = dict(labels)
        found = pattern.fullmatch(values.get(node.source, ""))
        if found is not None:
            values[node.destination] = expand(node.replacement, found)
            values = {name: value for name, value in values.items() if value}
        return label_set(values)

    rows = zip(map(replaced, frame.labels), frame.values, frame.present, strict=True)
    return Frame.build(rows, frame.steps)
