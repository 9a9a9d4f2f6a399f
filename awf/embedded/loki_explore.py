"""What Grafana's Explore and Logs Drilldown ask of Loki beside queries: how much there is, and which patterns."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any, Final, TypeAlias

from awf.embedded.contracts import LogReader
from awf.embedded.logql import Engine, parse_selector, wire
from awf.embedded.logql.frame import LabelSet, label_set
from awf.embedded.logql.parameters import Parameters
from awf.embedded.logql.patterns import mine
from awf.embedded.logql.scan import QueryStats
from awf.embedded.model import LogCount, Matcher
from awf.errors import QueryError

MAX_MINED_LINES: Final = 50_000
_SECOND_NS: Final = 1_000_000_000
_SPLIT_GAP_NS: Final = 1_000_000  # a bucket's time is a millisecond before the next one begins

Answer: TypeAlias = dict[str, Any]


class Explore:
    """Each method answers one endpoint: parameters in, the response's object out."""

    def __init__(self, engine: Engine, reader: LogReader) -> None:
        self._engine = engine
        self._reader = reader

    def index_stats(self, parameters: Parameters) -> Answer:
        """Count what is there. There are no chunks: a stream counts as one."""
        start, end = parameters.span_ns()
        counts = self._counts(parameters, (start, end), max(end - start, 1))
        streams = len({label_set(count.labels) for count in counts})
        return {
            "streams": streams, "chunks": streams, "bytes": sum(count.size_bytes for count in counts),
            "entries": sum(count.entries for count in counts),
        }  # fmt: skip

    def volume(self, parameters: Parameters) -> Answer:
        """Sum bytes by the labels that the query names, or by `targetLabels`."""
        start, end = parameters.span_ns()
        found = self._volumes(parameters, (start, end), max(end - start, 1))
        rows = [
            {"metric": dict(labels), "value": [wire.seconds(end), str(buckets.total())]}
            for labels, buckets in found
        ]
        return _result("vector", rows)

    def volume_range(self, parameters: Parameters) -> Answer:
        """Sum bytes by bucket. The first one begins where the range does, the others at multiples of the step."""
        start, end = parameters.span_ns()
        step = parameters.step_ns((start, end))
        aligned = start - start % step
        rows = [
            {
                "metric": dict(labels),
                "values": [
                    [wire.seconds(_bucket_end(aligned + (bucket + 1) * step, end)), str(size)]
                    for bucket, size in sorted(buckets.items())
                ],
            }
            for labels, buckets in self._volumes(parameters, (start, end), step, aligned)
        ]
        return _result("matrix", rows)

    def patterns(self, parameters: Parameters) -> Answer:
        """Mine the newest lines of the range (at most MAX_MINED_LINES)."""
        span = parameters.span_ns()
        entries = self._engine.entries(parameters.query(), *span, QueryStats())
        lines = ((entry.timestamp_ns, entry.line, entry.labels) for entry in islice(entries, MAX_MINED_LINES))
        rows = [
            {
                "pattern": cluster.pattern,
                "level": cluster.level,
                "samples": [[at // _SECOND_NS, n] for at, n in sorted(cluster.samples.items())],
            }
            for cluster in mine(lines, parameters.step_ns(span))
        ]
        return {"status": "success", "data": rows}

    def _counts(self, parameters: Parameters, span_ns: tuple[int, int], bucket_ns: int) -> list[LogCount]:
        matchers = bare_matchers(parameters.query())
        return self._reader.log_counts(matchers, *span_ns, bucket_ns=bucket_ns)

    def _volumes(
        self, parameters: Parameters, span_ns: tuple[int, int], bucket_ns: int, start_ns: int | None = None
    ) -> list[tuple[LabelSet, Counter[int]]]:
        """Return bytes by bucket of each group, the largest group first."""
        by = parameters.text("aggregateBy") or "series"
        if by not in {"series", "labels"}:
            raise QueryError(f"invalid aggregateBy {by!r:.40}: use series or labels")
        targets = [name for name in parameters.text("targetLabels").split(",") if name]
        names = targets or [matcher.name for matcher in bare_matchers(parameters.query())]
        start = span_ns[0] if start_ns is None else start_ns
        volumes: dict[LabelSet, Counter[int]] = {}
        for count in self._counts(parameters, (start, span_ns[1]), bucket_ns):
            wanted = count.labels if by == "labels" and not targets else names
            found = {name: count.labels[name] for name in wanted if count.labels.get(name)}
            for key in [found] if by == "series" else [{name: ""} for name in found]:
                volumes.setdefault(label_set(key), Counter())[count.bucket] += count.size_bytes
        ranked = sorted(volumes.items(), key=lambda item: (-item[1].total(), item[0]))
        return ranked[: parameters.limit()]


def bare_matchers(text: str) -> tuple[Matcher, ...]:
    """Read a selector without a pipeline."""
    query = parse_selector(text)
    if query.stages:
        raise QueryError("only label matchers are supported")
    return query.matchers


def _bucket_end(next_ns: int, end_ns: int) -> int:
    """Return the time that stands for a bucket, which is its last millisecond or the end of the range."""
    return end_ns if next_ns >= end_ns else next_ns - _SPLIT_GAP_NS


def _result(kind: str, rows: list[Answer]) -> Answer:
    data = {"resultType": kind, "result": rows, "stats": {"summary": wire.summary(QueryStats())}}
    return {"status": "success", "data": data}
