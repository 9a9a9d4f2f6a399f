"""An in-memory `LogReader` and records like AWF's own, for the LogQL and Loki API tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from awf.embedded.model import LogRecord, Matcher

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
        contains: Sequence[str] = (),
        newest_first: bool = True,
        limit: int | None = None,
    ) -> list[LogRecord]:
        self.calls.append({"span": (start_ns, end_ns), "contains": tuple(contains), "limit": limit})
        found = [
            record
            for record in self.records
            if start_ns <= record.timestamp_ns < end_ns
            and all(matcher.accepts(record.labels) for matcher in matchers)
            and all(text in record.line for text in contains)
        ]
        found.sort(key=lambda record: record.timestamp_ns, reverse=newest_first)
        return found[:limit]

    def streams(self, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> list[Mapping[str, str]]:
        found = {tuple(record.labels.items()) for record in self.logs(matchers, start_ns, end_ns)}
        return [dict(labels) for labels in found]


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
