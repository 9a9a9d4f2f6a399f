"""An in-memory `LogReader` and records like AWF's own, for the LogQL and Loki API tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from awf.embedded.logql.regex import line_pattern
from awf.embedded.model import EVERYTHING, LogCount, LogFilter, LogRecord, Matcher

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
T0 = 1_800_000_000 * SECOND


class MemoryLogs:
    """Keeps every call, so that a test can see what was asked of the store."""

    def __init__(self, records: Sequence[LogRecord]) -> None:
        self.records = list(records)
        self.calls: list[dict[str, object]] = []

    def logs(
        self,
        matchers: Sequence[Matcher],
        start_ns: int,
        end_ns: int,
        *,
        where: LogFilter = EVERYTHING,
        newest_first: bool = True,
    ) -> list[LogRecord]:
        self.calls.append({"span": (start_ns, end_ns), "where": where})
        found = self._chosen(matchers, start_ns, end_ns, where)
        found.sort(key=lambda record: record.timestamp_ns, reverse=newest_first)
        return found

    def within(self, start_ns: int, end_ns: int) -> list[LogRecord]:
        return [record for record in self.records if start_ns <= record.timestamp_ns < end_ns]

    def _chosen(
        self, matchers: Sequence[Matcher], start_ns: int, end_ns: int, where: LogFilter
    ) -> list[LogRecord]:
        return [
            record
            for record in self.within(start_ns, end_ns)
            if all(matcher.accepts(record.labels) for matcher in matchers) and _fits(record, where)
        ]

    def log_counts(
        self,
        matchers: Sequence[Matcher],
        start_ns: int,
        end_ns: int,
        *,
        where: LogFilter = EVERYTHING,
        bucket_ns: int,
        by: Sequence[str] | None = (),
    ) -> list[LogCount]:
        groups: dict[tuple[object, ...], list[LogRecord]] = {}
        for record in self._chosen(matchers, start_ns, end_ns, where):
            kept = {k: v for k, v in record.metadata.items() if by is None or k in by}
            bucket = (record.timestamp_ns - start_ns) // bucket_ns
            groups.setdefault((*record.labels.items(), None, *kept.items(), None, bucket), []).append(record)
        return [
            LogCount(
                records[0].labels,
                {k: v for k, v in records[0].metadata.items() if by is None or k in by},
                (records[0].timestamp_ns - start_ns) // bucket_ns,
                len(records),
                sum(len(record.line.encode()) for record in records),
            )
            for records in groups.values()
        ]

    def log_size(
        self, matchers: Sequence[Matcher], start_ns: int, end_ns: int, *, where: LogFilter = EVERYTHING
    ) -> int:
        return len(self._chosen(matchers, start_ns, end_ns, where))

    def streams(self, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> list[Mapping[str, str]]:
        found = {
            tuple(record.labels.items()) for record in self._chosen(matchers, start_ns, end_ns, EVERYTHING)
        }
        return [dict(labels) for labels in found]


def _fits(record: LogRecord, where: LogFilter) -> bool:
    return (
        all(
            any(
                line_pattern(text).search(record.line) if test.is_regex else text in record.line
                for text in test.texts
            )
            is not test.negative
            for test in where.lines
        )
        and all(
            matcher.matches(record.labels.get(matcher.name) or record.metadata.get(matcher.name, ""))
            for matcher in where.labels
        )
        and all(
            text in record.line
            or "\\" in record.line
            or text in {**record.labels, **record.metadata}.values()
            for text in where.values
        )
    )


def record(at_s: float, line: str, level: str = "info", **metadata: str) -> LogRecord:
    labels = {"service_name": "awf-demo", "level": level}
    return LogRecord(T0 + int(at_s * SECOND), line, labels, metadata)


def demo_records() -> list[LogRecord]:
    """Two minutes of a demo: a step every 10 s, every third one fails."""
    found = []
    for index in range(12):
        ids = {
            "execution_id": f"exec-{index}", "workflow_id": "research-report", "step_id": "search",
            "agent_id": "searcher" if index % 2 else "writer", "trace_id": f"{index:032x}",
        }  # fmt: skip
        failed = index % 3 == 2
        line = f"Step search {'failed: agent unavailable' if failed else 'completed'} in {index * 100} ms"
        extra = {"error_type": "AgentError"} if failed else {}
        found.append(record(index * 10, line, "error" if failed else "info", **ids, **extra))
    return found
