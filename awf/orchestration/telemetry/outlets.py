"""The two ends of the pipeline for each signal put together: OTLP of our own, or the SDK's providers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from awf.orchestration.telemetry.aggregate import MetricState
from awf.orchestration.telemetry.delivery import Delivery
from awf.orchestration.telemetry.metric_wire import MetricEncoder, Probe, Reading
from awf.orchestration.telemetry.record import Record
from awf.orchestration.telemetry.senders import Sender
from awf.orchestration.telemetry.spans import SpanData
from awf.orchestration.telemetry.wire import LogEncoder, SpanEncoder

logger = logging.getLogger(__name__)

IsExpired = Callable[[], bool]


class TraceOutlet(Protocol):
    def send(self, spans: Sequence[SpanData], is_expired: IsExpired) -> None: ...


class LogOutlet(Protocol):
    def send(self, batch: Sequence[Record], is_expired: IsExpired) -> None: ...


class MetricOutlet(Protocol):
    def settled(self, batch: Sequence[Record]) -> None: ...

    def tick(self, *, is_last: bool = False) -> bool: ...


@dataclass(frozen=True, slots=True)
class Outlets:
    """The pipeline's `Outlet`: traces, logs and metrics, each where it goes."""

    traces: TraceOutlet
    logs: LogOutlet
    metrics: MetricOutlet
    senders: Sequence[Sender] = ()

    def send(self, batch: Sequence[Record], spans: Sequence[SpanData], is_expired: IsExpired) -> None:
        self.traces.send(spans, is_expired)
        self.logs.send(batch, is_expired)

    def settled(self, batch: Sequence[Record]) -> None:
        self.metrics.settled(batch)

    def tick(self, *, is_last: bool = False) -> bool:
        return self.metrics.tick(is_last=is_last)

    def close(self) -> None:
        for sender in self.senders:
            sender.close()


class OtlpTraces:
    """Spans by OTLP."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._encode = SpanEncoder().encode

    def send(self, spans: Sequence[SpanData], is_expired: IsExpired) -> None:
        self._delivery.deliver([self._encode(span) for span in spans], is_expired)


class OtlpLogs:
    """Log records by OTLP."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._encode = LogEncoder().encode

    def send(self, batch: Sequence[Record], is_expired: IsExpired) -> None:
        self._delivery.deliver([self._encode(record) for record in batch], is_expired)


class OtlpMetrics:
    """Metrics by OTLP, every `interval_s`. They are cumulative: what did not arrive is in the next ones."""

    def __init__(
        self,
        delivery: Delivery,
        state: MetricState,
        read: Callable[[], Iterable[Reading]],
        *,
        interval_s: float,
    ) -> None:
        self._delivery = delivery
        self._state = state
        self._read = read
        self._interval_s = interval_s
        self._encoder = MetricEncoder()
        self._due = time.monotonic() + min(1.0, interval_s)
        self._process_start_ns = time.time_ns()

    def settled(self, batch: Sequence[Record]) -> None:
        for record in batch:
            self._state.add(record)

    def tick(self, *, is_last: bool = False) -> bool:
        if time.monotonic() < self._due and not is_last:
            return True
        self._due = time.monotonic() + self._interval_s
        # Backends refuse samples that are not newer, whatever a clock does that is set back.
        known_ns = max(self._process_start_ns, self._state.last_ns) + 1_000_000
        now_ns = self._state.last_ns = max(time.time_ns(), known_ns, self._state.start_ns)
        items = self._encoder.encode(
            self._state, self._read(), now_ns=now_ns, process_start_ns=self._process_start_ns
        )
        if items and not self._delivery.try_once(items):
            return False
        self._state.forget_exemplars()
        return True


def probe_all(probes: Sequence[Probe]) -> Iterable[Reading]:
    """Return what all probes read; of a metric that several read, all points. One that fails is left out."""
    found: dict[str, Reading] = {}
    for probe in probes:
        try:
            readings = list(probe())
        except Exception as error:  # boundary: what is looked at is the program's own
            logger.warning("gauges cannot be read", extra={"detail": f"{type(error).__name__}: {error}"})
            continue
        for reading in readings:
            known = found.get(reading.name)
            found[reading.name] = _joined(known, reading) if known else reading
    return found.values()


def _joined(known: Reading, more: Reading) -> Reading:
    return replace(
        known,
        points=[*known.points, *more.points],
        distributions=[*known.distributions, *more.distributions],
    )
