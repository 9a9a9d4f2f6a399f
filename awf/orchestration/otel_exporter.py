"""Turns workflow events into OpenTelemetry traces, metrics and logs, sent by OTLP.

Built on the SDK's own pipeline with large queues: telemetry that waits is in memory only.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from awf.core import semconv
from awf.core.counters import Counters
from awf.errors import ConfigError, MissingDependency
from awf.orchestration import narration
from awf.orchestration.engine import EngineSnapshot
from awf.orchestration.events import WorkflowEvent

try:
    from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import TracerProvider

    from awf.orchestration._otel_delivery import CalmMetrics, Delivery, PatientLogs, PatientSpans
    from awf.orchestration._otel_metrics import MetricRecorder, observe_counters, observe_engine
    from awf.orchestration._otel_spans import EventIds, SpanBuilder
except ImportError as error:
    raise MissingDependency(
        f"the OpenTelemetry exporter needs {error.name}, which is not installed",
        hint="pip install 'awf[otel]'",
    ) from error

QUEUE_SIZE = 65_536
BATCH_SIZE = 512
SCHEDULE_DELAY_MS = 500
METRIC_INTERVAL_MS = 5_000
ATTEMPT_TIMEOUT_S = 3.0

_SEVERITIES = {
    narration.DEBUG: SeverityNumber.DEBUG,
    narration.INFO: SeverityNumber.INFO,
    narration.WARN: SeverityNumber.WARN,
    narration.ERROR: SeverityNumber.ERROR,
}


class OTelExporter:
    """One subscriber of an `EventEmitter`: `emitter.subscribe(exporter.on_event, queue_size=65_536)`.

    The endpoint is the argument, else OTEL_EXPORTER_OTLP_ENDPOINT, else 127.0.0.1. The protocol is the
    argument, else OTEL_EXPORTER_OTLP_PROTOCOL, else grpc. Providers that are passed in are used as they
    are and stay open at shutdown. While the receiver does not answer, each batch of spans or logs is kept
    for `patience_s`. Raises ConfigError for an unknown protocol.
    """

    def __init__(
        self,
        endpoint: str = "",
        *,
        service_name: str = "",
        protocol: str = "",
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        counters: Counters | None = None,
        patience_s: float = 30.0,
    ) -> None:
        self.counters = counters or Counters()
        self._ids = EventIds()
        self._own: list[Any] = []
        self._deliveries: list[Delivery] = []
        sender = _Sender(endpoint, protocol)
        resource = _resource(service_name)
        tracers = tracer_provider or self._make_tracers(sender, resource, patience_s)
        meters = meter_provider or self._make_meters(sender, resource)
        loggers = logger_provider or self._make_loggers(sender, resource, patience_s)
        scope = semconv.SCOPE_NAME
        self._spans = SpanBuilder(tracers.get_tracer(scope, schema_url=semconv.SCHEMA_URL), self._ids)
        self._meter = meters.get_meter(scope)
        self._metrics = MetricRecorder(self._meter)
        self._logger = loggers.get_logger(scope)

    async def on_event(self, event: WorkflowEvent) -> None:
        """Record an event. Nothing is sent here: the SDK's threads do that."""
        context = self._spans.on_event(event)
        self._metrics.on_event(event, context)
        _log(self._logger, event, context)

    def watch(self, snapshot: Callable[[], EngineSnapshot]) -> None:
        """Export how busy an engine is; `snapshot` is called from the SDK's thread."""
        observe_engine(self._meter, snapshot)

    def watch_counters(self, counters: Counters) -> None:
        """Export what the pipeline counts about itself. Each instrument takes one set of counters."""
        observe_counters(self._meter, counters)

    async def shutdown(self, timeout_s: float = 3.0) -> None:
        """Send what is queued, and give up what could not be sent within `timeout_s`."""
        for delivery in self._deliveries:
            delivery.hurry()
        # Daemon threads of our own: asyncio's pool would be joined at exit, however long that takes.
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in self._own]
        for thread in threads:
            thread.start()
        give_up_at = time.monotonic() + timeout_s
        while any(thread.is_alive() for thread in threads) and time.monotonic() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # a thread may outlive the loop, so it must not signal it
        for delivery in self._deliveries:
            delivery.close()

    def _make_tracers(self, sender: _Sender, resource: Resource, patience_s: float) -> TracerProvider:
        exporter = PatientSpans(sender.spans(), self.counters, patience_s)
        provider = SdkTracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter, QUEUE_SIZE, SCHEDULE_DELAY_MS, BATCH_SIZE))
        self._adopt(provider, exporter.delivery)
        return provider

    def _make_meters(self, sender: _Sender, resource: Resource) -> MeterProvider:
        exporter = CalmMetrics(sender.metrics(), self.counters)
        interval_ms = _milliseconds("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_MS)
        reader = PeriodicExportingMetricReader(exporter, interval_ms)
        provider = SdkMeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._adopt(provider, exporter.delivery)
        return provider

    def _make_loggers(self, sender: _Sender, resource: Resource, patience_s: float) -> LoggerProvider:
        exporter = PatientLogs(sender.logs(), self.counters, patience_s)
        provider = SdkLoggerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_log_record_processor(
            BatchLogRecordProcessor(exporter, SCHEDULE_DELAY_MS, BATCH_SIZE, None, QUEUE_SIZE)
        )
        self._adopt(provider, exporter.delivery)
        return provider

    def _adopt(self, provider: Any, delivery: Delivery) -> None:
        self._own.append(provider)
        self._deliveries.append(delivery)


class _Sender:
    """Makes the SDK's exporters for one endpoint, over gRPC or HTTP."""

    def __init__(self, endpoint: str, protocol: str) -> None:
        self._protocol = protocol or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "") or "grpc"
        if self._protocol not in {"grpc", "http/protobuf"}:
            raise ConfigError(
                f"OTEL_EXPORTER_OTLP_PROTOCOL is {self._protocol!r}, expected grpc or http/protobuf"
            )
        port = 4317 if self._protocol == "grpc" else 4318
        self._endpoint = (
            endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "") or f"http://127.0.0.1:{port}"
        )
        if "://" not in self._endpoint:
            self._endpoint = f"http://{self._endpoint}"

    def spans(self) -> Any:
        if self._protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

            return Grpc(endpoint=self._endpoint, timeout=ATTEMPT_TIMEOUT_S)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

        return Http(endpoint=self._url("traces"), timeout=ATTEMPT_TIMEOUT_S)

    def metrics(self) -> Any:
        if self._protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as Grpc

            return Grpc(endpoint=self._endpoint, timeout=ATTEMPT_TIMEOUT_S)
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as Http

        return Http(endpoint=self._url("metrics"), timeout=ATTEMPT_TIMEOUT_S)

    def logs(self) -> Any:
        if self._protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as Grpc

            return Grpc(endpoint=self._endpoint, timeout=ATTEMPT_TIMEOUT_S)
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as Http

        return Http(endpoint=self._url("logs"), timeout=ATTEMPT_TIMEOUT_S)

    def _url(self, signal: str) -> str:
        return f"{self._endpoint.rstrip('/')}/v1/{signal}"


def _resource(service_name: str) -> Resource:
    name = service_name or os.environ.get("OTEL_SERVICE_NAME", "") or "awf"
    attributes = {"service.name": name}
    if "service.instance.id=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        # Without it two engines of one name would write into each other's series.
        attributes["service.instance.id"] = f"{socket.gethostname()}-{os.getpid()}"
    return Resource.create(attributes)


def _milliseconds(variable: str, default: int) -> int:
    text = os.environ.get(variable, "") or str(default)
    if not text.isdigit() or int(text) == 0:
        raise ConfigError(f"{variable} is {text!r}, expected a number of milliseconds above 0")
    return int(text)


def _log(logger: Logger, event: WorkflowEvent, context: Context) -> None:
    level = narration.level(event)
    attributes: dict[str, str | int] = {
        semconv.LEVEL: level,
        semconv.EVENT_TYPE: event.type.value,
        semconv.WORKFLOW_ID: event.workflow_id,
        semconv.EXECUTION_ID: event.execution_id,
    }
    optional = {
        semconv.STEP_ID: event.step_id,
        semconv.AGENT_ID: event.agent_id,
        semconv.ATTEMPT: event.attempt,
        semconv.ERROR_TYPE: event.error_type,
        semconv.PROVIDER: event.data.get("provider"),
        semconv.MODEL: event.data.get("model"),
    }
    attributes.update({name: value for name, value in optional.items() if value})
    logger.emit(
        timestamp=event.time_ns,
        observed_timestamp=event.time_ns,
        context=context,
        severity_number=_SEVERITIES[level],
        severity_text=level.upper(),
        body=narration.sentence(event),
        attributes=attributes,
    )
