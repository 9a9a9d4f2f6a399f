"""The pipeline where something fails that nobody foresaw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from awf.core.counters import Counters
from awf.core.redact import Redactor
from awf.core.semconv import EVENTS_DROPPED
from awf.orchestration.memory_spool import MemorySpool
from awf.orchestration.telemetry.aggregate import MetricState
from awf.orchestration.telemetry.delivery import Stop
from awf.orchestration.telemetry.pipeline import Pipeline
from awf.orchestration.telemetry.record import Record, RecordWriter
from awf.orchestration.telemetry.spans import SpanData

from ._events import completed


class Fragile:
    """An outlet that breaks on the events of one execution, whatever comes with them."""

    def __init__(self, breaks_on: str) -> None:
        self._breaks_on = breaks_on
        self.sent: list[str] = []

    def send(
        self, batch: Sequence[Record], spans: Sequence[SpanData], is_expired: Callable[[], bool]
    ) -> None:
        if any(record.execution_id == self._breaks_on for record in batch):
            raise RuntimeError("nobody foresaw this")
        self.sent += [record.execution_id for record in batch]

    def settled(self, batch: Sequence[Record]) -> None: ...

    def tick(self, *, is_last: bool = False) -> bool:
        return True

    def close(self) -> None: ...


def test_an_event_that_breaks_something_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    counters, backlog, outlet = Counters(), MemorySpool(), Fragile("x2")
    writer = RecordWriter(Redactor(), counters)
    for name in ("x1", "x2", "x3"):
        for event in completed(name, steps=1):
            backlog.append(writer.write(event))
    Pipeline(backlog, outlet, MetricState(counters), counters, Stop(), until_empty=True).run()
    assert outlet.sent == ["x1"] * 6 + ["x3"] * 6
    assert counters.get(EVENTS_DROPPED, reason="invalid") == 6
    assert backlog.depth().events == 0
    assert "no telemetry can be made of an event" in caplog.text
