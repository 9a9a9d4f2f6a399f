"""Puts the parts of a pipeline together, for the exporter and for whoever sends what a dead process left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from awf.core.counters import Counters
from awf.orchestration.spool import Backlog
from awf.orchestration.spool_view import SET_ASIDE
from awf.orchestration.telemetry.aggregate import MAX_SERIES, MetricState
from awf.orchestration.telemetry.delivery import Delivery, Stop
from awf.orchestration.telemetry.endpoints import LOGS, METRICS, TRACES, Endpoint
from awf.orchestration.telemetry.measurements import EXPORT_DURATION
from awf.orchestration.telemetry.metric_wire import Probe
from awf.orchestration.telemetry.outlets import (
    LogOutlet,
    MetricOutlet,
    OtlpLogs,
    OtlpMetrics,
    OtlpTraces,
    Outlets,
    TraceOutlet,
    probe_all,
)
from awf.orchestration.telemetry.pipeline import MAX_AGE_S, Pipeline
from awf.orchestration.telemetry.senders import Sender, sender_for
from awf.orchestration.telemetry.wire import Envelope

METRIC_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where telemetry goes, one endpoint for each signal, and within which limits."""

    endpoints: Mapping[str, Endpoint]
    metric_interval_s: float = METRIC_INTERVAL_S
    max_age_s: float = MAX_AGE_S
    max_series: int = MAX_SERIES


@dataclass(slots=True)
class Outside:
    """Providers of the program's own: a signal that has one goes there."""

    traces: TraceOutlet | None = None
    logs: LogOutlet | None = None
    metrics: MetricOutlet | None = None


@dataclass(slots=True)
class Parts:
    """A pipeline with what one may want to look at or to stop."""

    pipeline: Pipeline
    stop: Stop
    senders: Sequence[Sender]
    thread: threading.Thread = field(init=False)

    def start(self) -> None:
        """Let it run in a thread that does not keep the program from ending."""
        self.thread = threading.Thread(target=self.pipeline.run, name="awf-telemetry", daemon=True)
        self.thread.start()

    def abort(self, grace_s: float = 1.0) -> None:
        """End it at once, also a request under way; what was not acknowledged waits."""
        self.stop.at(time.monotonic())
        for sender in self.senders:
            sender.close()
        self.thread.join(grace_s)


def assemble(
    backlog: Backlog,
    resource: Mapping[str, str],
    destination: Destination,
    counters: Counters,
    *,
    folder: Path | None = None,
    probes: Sequence[Probe] = (),
    outside: Outside | None = None,
    until_empty: bool = False,
) -> Parts:
    """Return a pipeline from a backlog to a destination; `folder` keeps its snapshot and what is set aside."""
    stop, state = Stop(), MetricState(counters, max_series=destination.max_series)
    outside = outside or Outside()
    senders: list[Sender] = []

    def delivery(signal: str, meanwhile: Callable[[], object] = lambda: None) -> Delivery:
        senders.append(sender_for(destination.endpoints[signal]))
        return Delivery(
            signal,
            senders[-1],
            Envelope(resource, has_schema=signal == TRACES),
            counters,
            stop,
            set_aside=folder / SET_ASIDE if folder else None,
            observe=lambda name, took_ms: state.observe(EXPORT_DURATION, (name,), took_ms),
            meanwhile=meanwhile,
        )

    metrics = outside.metrics or OtlpMetrics(
        delivery(METRICS), state, lambda: probe_all(probes), interval_s=destination.metric_interval_s
    )
    # Metrics go on while a batch waits for its collector: they may have another one.
    outlets = Outlets(
        outside.traces or OtlpTraces(delivery(TRACES, metrics.tick)),
        outside.logs or OtlpLogs(delivery(LOGS, metrics.tick)),
        metrics,
        senders,
    )
    pipeline = Pipeline(
        backlog, outlets, state, counters, stop, folder=folder, max_age_s=destination.max_age_s,
        until_empty=until_empty,
    )  # fmt: skip
    return Parts(pipeline, stop, senders)
