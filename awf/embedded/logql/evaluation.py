"""Metric queries: the tree evaluated over all steps at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from awf.embedded import deadline
from awf.embedded.contracts import LogReader
from awf.embedded.logql import aggregate, binary, nodes, relabel, windows
from awf.embedded.logql.counts import SUMS, count_series
from awf.embedded.logql.frame import Frame, LabelSet, check_cells, label_set
from awf.embedded.logql.pushdown import without_idle_formats
from awf.embedded.logql.samples import Series, WindowEnds, read_series
from awf.embedded.logql.scan import QueryStats
from awf.embedded.model import MatchOp
from awf.errors import QueryError

_PUSHED_DOWN: Final = {"count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time"}


class Evaluation:
    """One query's run over its steps."""

    def __init__(self, reader: LogReader, times_ns: NDArray[np.int64], stats: QueryStats) -> None:
        self._reader = reader
        self._times_ns = times_ns
        self._stats = stats

    def run(self, node: nodes.Metric) -> Frame | float:
        deadline.check()
        match node:
            case nodes.Number():
                return node.value
            case nodes.VectorLiteral():
                return self._constant((), node.value)
            case nodes.RangeAggregation(op="absent_over_time"):
                return self._absent(node)
            case nodes.RangeAggregation():
                return self._range(node, node.grouping)
            case nodes.VectorAggregation():
                return self._aggregation(node)
            case nodes.LabelReplace():
                return relabel.evaluate(node, self._vector(node.operand))
            case nodes.Binary():
                return binary.evaluate(node, self.run(node.left), self.run(node.right))

    def _vector(self, node: nodes.Metric) -> Frame:
        """Evaluate an operand that must be a vector: `sum(1 + 1)` has nothing to add up."""
        found = self.run(node)
        if not isinstance(found, Frame):
            raise QueryError("parse error : expected a vector, but the operand is a number")
        return found

    def _aggregation(self, node: nodes.VectorAggregation) -> Frame:
        """A sum groups while reading: a series for every trace id is never built."""
        inner = node.operand
        if node.op == "sum" and isinstance(inner, nodes.RangeAggregation) and inner.op in _PUSHED_DOWN:
            grouping = node.grouping or nodes.Grouping(())
            return aggregate.evaluate(node, self._range(inner, grouping))
        return aggregate.evaluate(node, self._vector(inner))

    def _range(self, node: nodes.RangeAggregation, grouping: nodes.Grouping | None) -> Frame:
        steps = len(self._times_ns)
        series, node = self._series(without_idle_formats(node), grouping, steps)
        rows = [(item.labels, *windows.evaluate(item, node, self._times_ns)) for item in series]
        return Frame.build(rows, steps)

    def _absent(self, node: nodes.RangeAggregation) -> Frame:
        """One series where no entry is; which labels the entries have does not matter."""
        steps = len(self._times_ns)
        found = np.zeros(steps, dtype=bool)
        series, node = self._series(without_idle_formats(node), nodes.Grouping(()), steps)
        for item in series:
            found |= windows.evaluate(item, node, self._times_ns)[1]
        return Frame.build([(_absent_labels(node.range.query), np.ones(steps), ~found)], steps)

    def _series(
        self, node: nodes.RangeAggregation, grouping: nodes.Grouping | None, steps: int
    ) -> tuple[list[Series], nodes.RangeAggregation]:
        """Return the samples, or counts of them and the aggregation that adds these up."""
        first, last = (int(self._times_ns[index]) - node.range.offset_ns for index in (0, -1))
        step = (last - first) // (steps - 1) if steps > 1 else node.range.range_ns
        ends = WindowEnds(first, last, step)
        series = count_series(self._reader, node, grouping, ends, self._stats)
        if series is not None:
            node = replace(node, op=SUMS[node.op])
        else:
            series = read_series(self._reader, node, grouping, ends, self._stats)
        check_cells(len(series), steps)
        return series, node

    def _constant(self, labels: LabelSet, value: float) -> Frame:
        steps = len(self._times_ns)
        return Frame.build([(labels, np.full(steps, value), np.ones(steps, dtype=bool))], steps)


def _absent_labels(query: nodes.LogQuery) -> LabelSet:
    """Return the labels that equality matchers fix, without those that another matcher names too."""
    equal = [matcher for matcher in query.matchers if matcher.op is MatchOp.EQUAL]
    others = [matcher.name for matcher in query.matchers if matcher.op is not MatchOp.EQUAL]
    names = [matcher.name for matcher in equal] + others
    return label_set({m.name: m.value for m in equal if names.count(m.name) == 1})
