"""Patience around the SDK's exporters: a batch is tried again instead of thrown away, an outage is logged
once instead of every second, and shutting down ends when it was told to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from awf.core.counters import Counters
from awf.core.semconv import EXPORT_FAILURES

logger = logging.getLogger(__name__)

PAUSE_S = 1.0

# The loggers through which the SDK's OTLP exporters comment on every failed attempt.
_SDK_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
)


class _Overheard(logging.Filter):
    """Keeps what the SDK says about our attempts for our own log record; other threads are not touched."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    def listen(self) -> None:
        self._local.said = ""

    def stop(self) -> str:
        said = str(self._local.__dict__.pop("said", ""))
        return said[:300]

    def filter(self, record: logging.LogRecord) -> bool:
        if "said" not in self._local.__dict__:
            return True
        self._local.said = record.getMessage()
        return False


class Delivery:
    """Delivers one signal's batches. A batch is given up after `patience_s`, counted and logged."""

    def __init__(self, signal: str, inner: Any, counters: Counters, patience_s: float) -> None:
        self._signal = signal
        self._inner = inner
        self._counters = counters
        self._patience_s = patience_s
        self._overheard = _Overheard()
        self._stopping = threading.Event()
        self._closing = threading.Lock()
        self._is_closed = False
        self._is_failing = False
        self._is_busy = False
        for name in _SDK_LOGGERS:
            logging.getLogger(name).addFilter(self._overheard)

    def deliver(self, attempt: Callable[[], bool]) -> bool:
        """Try until it works, patience ends or the exporter closes."""
        began = time.monotonic()
        while not self._stopping.is_set():
            if self._try(attempt):
                return True
            if time.monotonic() - began >= self._patience_s or self._stopping.wait(PAUSE_S):
                break
        self._counters.add(EXPORT_FAILURES, reason=f"{self._signal}_not_delivered")
        return False

    def hurry(self) -> None:
        """The end is near: from now on try each batch once, and none while the receiver is away."""
        self._patience_s = 0.0
        if self._is_failing:
            self.close()

    def close(self) -> None:
        """Abort what is under way and take no more. May be called again."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        self._stopping.set()
        self._inner.shutdown()
        if not self._is_busy:
            self._stop_listening()

    def _try(self, attempt: Callable[[], bool]) -> bool:
        self._is_busy = True
        self._overheard.listen()
        try:
            delivered = attempt()
        finally:
            said = self._overheard.stop()
            self._is_busy = False
            if self._is_closed:
                self._stop_listening()
        self._note(delivered, said)
        return delivered

    def _stop_listening(self) -> None:
        for name in _SDK_LOGGERS:
            logging.getLogger(name).removeFilter(self._overheard)

    def _note(self, delivered: bool, said: str) -> None:
        if delivered and self._is_failing:
            logger.info("telemetry is delivered again", extra={"signal": self._signal})
        elif not delivered and not self._is_failing and not self._stopping.is_set():
            logger.warning("telemetry is not delivered", extra={"signal": self._signal, "detail": said})
        self._is_failing = not delivered


class PatientSpans(SpanExporter):
    """Delivers spans."""

    def __init__(self, inner: SpanExporter, counters: Counters, patience_s: float) -> None:
        self.delivery = Delivery("traces", inner, counters, patience_s)
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        done = self.delivery.deliver(lambda: self._inner.export(spans) is SpanExportResult.SUCCESS)
        return SpanExportResult.SUCCESS if done else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.delivery.close()


class PatientLogs(LogRecordExporter):
    """Delivers log records."""

    def __init__(self, inner: LogRecordExporter, counters: Counters, patience_s: float) -> None:
        self.delivery = Delivery("logs", inner, counters, patience_s)
        self._inner = inner

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        done = self.delivery.deliver(lambda: self._inner.export(batch) is LogRecordExportResult.SUCCESS)
        return LogRecordExportResult.SUCCESS if done else LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        return True

    def shutdown(self) -> None:
        self.delivery.close()


class CalmMetrics(MetricExporter):
    """Delivers metrics. They are cumulative: the next collection heals a lost one, so each is tried once."""

    def __init__(self, inner: MetricExporter, counters: Counters) -> None:
        super().__init__(
            preferred_temporality=inner._preferred_temporality,
            preferred_aggregation=inner._preferred_aggregation,
        )
        self.delivery = Delivery("metrics", inner, counters, 0.0)
        self._inner = inner

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        done = self.delivery.deliver(
            lambda: self._inner.export(metrics_data, timeout_millis) is MetricExportResult.SUCCESS
        )
        return MetricExportResult.SUCCESS if done else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.delivery.close()
