"""Telemetry through the OpenTelemetry SDK: providers that a program has already, with their own pipelines.

Handing over to a provider counts as delivery: what its processors lose, they lose.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from awf.core import semconv
from awf.core.counters import Counters
from awf.errors import ConfigError, MissingDependency
from awf.orchestration.identity import SpanIdentity
from awf.orchestration.telemetry.aggregate import attributes_of
from awf.orchestration.telemetry.endpoints import LOGS, METRICS, TRACES
from awf.orchestration.telemetry.logs import SEVERITY_NUMBERS, log_of
from awf.orchestration.telemetry.measurements import INSTRUMENTS, measure
from awf.orchestration.telemetry.metric_wire import Reading
from awf.orchestration.telemetry.record import Record
from awf.orchestration.telemetry.spans import SpanData

try:
    from opentelemetry._logs import LoggerProvider, SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
    from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
    from opentelemetry.trace import (
        Link,
        NonRecordingSpan,
        SpanContext,
        Status,
        StatusCode,
        TraceFlags,
        TracerProvider,
        set_span_in_context,
    )
except ImportError as error:
    raise MissingDependency(
        f"telemetry through providers needs {error.name}, which is not installed",
        hint="pip install opentelemetry-sdk",
    ) from error

logger = logging.getLogger(__name__)

IsExpired = Callable[[], bool]


class PlannedIds(IdGenerator):
    """Gives the next span the ids it is to have. Only our own tracer has this generator."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._planned = threading.local()

    @contextlib.contextmanager
    def plan(self, span: SpanData) -> Iterator[None]:
        """Fix the ids of the next span that this thread starts."""
        self._planned.ids = (int(span.trace_id, 16), int(span.span_id, 16))
        try:
            yield
        finally:
            del self._planned.ids

    def generate_trace_id(self) -> int:
        ids = getattr(self._planned, "ids", None)
        return ids[0] if ids else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        ids = getattr(self._planned, "ids", None)
        return ids[1] if ids else self._random.generate_span_id()


class _Boundary:
    """What the program's own processors raise ends here: counted each time, told once."""

    def __init__(self, counters: Counters, signal: str) -> None:
        self._counters = counters
        self._signal = signal
        self._is_told = False

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self._counters.add(semconv.EXPORT_FAILURES, reason=f"{self._signal}_not_taken")
        if not self._is_told:
            logger.warning(
                "a provider did not take telemetry", extra={"signal": self._signal}, exc_info=error
            )
        self._is_told = True
        return True


class SdkTraces:
    """Spans through a TracerProvider. Raises ConfigError for one that is not the SDK's."""

    def __init__(self, provider: TracerProvider, counters: Counters) -> None:
        self._boundary = _Boundary(counters, TRACES)
        self._ids = PlannedIds()
        self._tracer: Any = provider.get_tracer(semconv.SCOPE_NAME, schema_url=semconv.SCHEMA_URL)
        if not hasattr(self._tracer, "id_generator"):
            raise ConfigError(
                f"tracer_provider is a {type(provider).__name__}, expected the SDK's TracerProvider",
                hint="Pass opentelemetry.sdk.trace.TracerProvider(), or no provider.",
            )
        self._tracer.id_generator = self._ids

    def send(self, spans: Sequence[SpanData], is_expired: IsExpired) -> None:
        for data in spans:
            with self._boundary:
                self._send(data)

    def _send(self, data: SpanData) -> None:
        with self._ids.plan(data):
            span = self._tracer.start_span(
                data.name,
                self._parent(data),
                attributes=data.attributes,
                links=[Link(_span_context(link)) for link in data.links],
                start_time=data.start_ns,
            )
        for time_ns, name, attributes in data.events:
            span.add_event(name, attributes, time_ns)
        if data.error is not None:
            span.set_status(Status(StatusCode.ERROR, data.error))
        span.end(data.end_ns)

    def _parent(self, data: SpanData) -> Context:
        # Children end before their parent. What the sampler will say of that is asked now: it takes a trace
        # as a whole, or none of it.
        if not data.parent_id:
            return Context()
        result = self._tracer.sampler.should_sample(Context(), int(data.trace_id, 16), semconv.SPAN_WORKFLOW)
        return _context(data.trace_id, data.parent_id, is_sampled=result.decision.is_sampled())


class SdkLogs:
    """Log records through a LoggerProvider."""

    def __init__(self, provider: LoggerProvider, counters: Counters) -> None:
        self._boundary = _Boundary(counters, LOGS)
        self._logger = provider.get_logger(semconv.SCOPE_NAME)

    def send(self, batch: Sequence[Record], is_expired: IsExpired) -> None:
        for log in map(log_of, batch):
            with self._boundary:
                self._logger.emit(
                    timestamp=log.time_ns,
                    observed_timestamp=log.time_ns,
                    context=_context(log.trace_id, log.span_id),
                    severity_number=SeverityNumber(SEVERITY_NUMBERS[log.level]),
                    severity_text=log.level.upper(),
                    body=log.body,
                    attributes=log.attributes,
                )


class SdkMetrics:
    """Metrics through a MeterProvider: events are recorded, readings are observed when it collects. Histograms
    that are read are left out: the SDK knows none that are observed."""

    def __init__(
        self, provider: MeterProvider, read: Callable[[], Iterable[Reading]], counters: Counters
    ) -> None:
        self._boundary = _Boundary(counters, METRICS)
        meter = provider.get_meter(semconv.SCOPE_NAME)
        self._read = read
        self._record: dict[str, Callable[[float, Mapping[str, Any], Context], None]] = {}
        for instrument in INSTRUMENTS:
            name, unit, text = instrument.name, instrument.unit, instrument.description
            if instrument.buckets:
                bounds = list(instrument.buckets)
                self._record[name] = meter.create_histogram(
                    name, unit, text, explicit_bucket_boundaries_advisory=bounds
                ).record
            else:
                self._record[name] = meter.create_counter(name, unit, text).add
        for name in semconv.METRIC_LABELS.keys() - self._record.keys() - semconv.HISTOGRAM_BUCKETS.keys():
            self._observe(meter, name)

    def settled(self, batch: Sequence[Record]) -> None:
        for record in batch:
            with self._boundary:
                self._settle(record)

    def tick(self, *, is_last: bool = False) -> bool:
        """The provider's readers collect when they like."""
        return True

    def _settle(self, record: Record) -> None:
        context = _context(record.trace_id, record.span_id)
        for instrument, labels, amount in measure(record):
            value = amount(record) if amount else 0
            if value is not None:
                self._record[instrument.name](value, attributes_of(instrument, labels), context)

    def _observe(self, meter: Meter, name: str) -> None:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(value, attributes)
                for reading in self._read() if reading.name == name
                for attributes, value in reading.points
            ]  # fmt: skip

        if name.endswith("_total"):
            meter.create_observable_counter(name, [observe])
        else:
            meter.create_observable_gauge(name, [observe])


def _context(trace_id: str, span_id: str, *, is_sampled: bool = True) -> Context:
    """Return a context in which a span of ours is the current one."""
    span = _span_context(SpanIdentity(trace_id, span_id), is_sampled=is_sampled)
    return set_span_in_context(NonRecordingSpan(span), Context())


def _span_context(span: SpanIdentity, *, is_sampled: bool = True) -> SpanContext:
    return SpanContext(
        int(span.trace_id, 16),
        int(span.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT),
    )
