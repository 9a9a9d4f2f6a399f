"""Exemplars of metrics: for some spans that were counted, which trace they belong to.

They are spread over the range by looking for a few in each part of it, the newest of the part first. Tempo
draws its own at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from awf.embedded.traceql import nodes
from awf.embedded.traceql.expressions import compile_field
from awf.embedded.traceql.lines import METRIC_NAME
from awf.embedded.traceql.metrics import Steps, compile_group, labels_of
from awf.embedded.traceql.results import Attributes, Exemplar, Series
from awf.embedded.traceql.seen import SeenSpan
from awf.embedded.traceql.values import Duration

MOST: Final = 100
_PARTS: Final = 10
_NS: Final = 1_000_000_000

Find = Callable[[nodes.Measured, int, int], Iterator[SeenSpan]]
"""Yields one matching span a trace that starts in a range, with what the query reads of it."""


def attach(
    body: nodes.Series, series: tuple[Series, ...], steps: Steps, wanted: int, find: Find
) -> tuple[Series, ...]:
    """Return the series with up to `wanted` exemplars; those of arithmetic between queries have none."""
    leaf = _leaf(body)
    if leaf is None or wanted <= 0 or not series:
        return series
    found: dict[Attributes, list[Exemplar]] = {}
    by_labels = {_without_own(item.labels): dict(item.samples) for item in series}
    for seen in _spread(leaf, steps, min(wanted, MOST), find):
        labels, exemplar = _describe(leaf, seen, steps, by_labels)
        if exemplar:
            found.setdefault(labels, []).append(exemplar)
    taken: set[Attributes] = set()
    result = []
    for item in series:
        key = _without_own(item.labels)
        own = () if key in taken else tuple(sorted(found.get(key, ()), key=lambda one: one.timestamp_ms))
        taken.add(key)
        result.append(replace(item, exemplars=own))
    return tuple(result)


def _leaf(body: nodes.Series) -> nodes.Measured | None:
    while not isinstance(body, nodes.Measured):
        if isinstance(body, nodes.Joined):
            return None
        body = body.operand
    is_simple = isinstance(body.metric, nodes.Metric) and body.metric.function != "histogram_over_time"
    return body if is_simple else None


def _spread(leaf: nodes.Measured, steps: Steps, wanted: int, find: Find) -> Iterator[SeenSpan]:
    width = max((steps.end_ns - steps.start_ns) // _PARTS, 1)
    traces: set[str] = set()
    for start in range(steps.start_ns, steps.end_ns, width):
        left = -(-wanted // _PARTS)
        for seen in find(leaf, start, min(start + width, steps.end_ns)):
            if seen.span.trace_id not in traces:
                traces.add(seen.span.trace_id)
                yield seen
                left -= 1
            if not left:
                break
        if len(traces) >= wanted:
            return


def _describe(
    leaf: nodes.Measured, seen: SeenSpan, steps: Steps, by_labels: dict[Attributes, dict[int, float]]
) -> tuple[Attributes, Exemplar | None]:
    metric = leaf.metric
    if not isinstance(metric, nodes.Metric):
        return (), None
    labels = _without_own(labels_of(metric, [compile_group(item)(seen) for item in metric.by]))
    step = steps.index(seen.span.start_ns)
    sample = by_labels.get(labels, {}).get(steps.timestamps_ms[step]) if step >= 0 else None
    if sample is None:
        return labels, None
    value: object = sample
    if metric.field:
        value = compile_field(metric.field)(seen)
        value = value / _NS if isinstance(value, Duration) else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return labels, None
    shown = (("trace:id", seen.span.trace_id), *labels)
    return labels, Exemplar(shown, float(value), seen.span.start_ns // 1_000_000)


def _without_own(labels: Attributes) -> Attributes:
    """Return the labels that come from the query's groups."""
    return tuple(pair for pair in labels if pair[0] not in {METRIC_NAME, "p"})
