"""The OpenTelemetry SDK used by hand, with its own batch processors and gRPC exporters."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import set_span_in_context

EVENTS_AN_EXECUTION = 14


class RawSdk:
    """Does what our exporter does for an execution of three steps, or one span, three updates and a log."""

    def __init__(self, url: str, *, has_large_queues: bool) -> None:
        queue = {"max_queue_size": 65_536, "schedule_delay_millis": 500.0, "max_export_batch_size": 512}
        options: dict[str, Any] = queue if has_large_queues else {}
        self._tracers, self._loggers = TracerProvider(), LoggerProvider()
        self._tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url), **options))
        self._loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(url), **options))
        self._meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(url), 5_000)])
        self._tracer, self._logger = self._tracers.get_tracer("raw"), self._loggers.get_logger("raw")
        meter = self._meters.get_meter("raw")
        self._durations = meter.create_histogram("durations")
        self._seconds = meter.create_histogram("seconds")
        self._usage = meter.create_histogram("usage")
        self._invocations = meter.create_counter("invocations")
        self._tokens = meter.create_counter("tokens")
        self._costs = meter.create_counter("costs")
        self._workflows = meter.create_counter("workflows")
        self._number = 0

    def shutdown(self) -> None:
        for provider in (self._tracers, self._loggers, self._meters):
            provider.shutdown()

    def unit(self) -> int:
        """One span, three metric updates and one log record."""
        self._number += 1
        about = {
            "workflow_id": "report",
            "execution_id": f"exe_{self._number // 14}",
            "step_id": "s",
            "agent_id": "a",
        }
        span = self._tracer.start_span("awf.step", context=Context(), attributes=about)
        context = set_span_in_context(span, Context())
        span.end()
        labels = {"workflow_id": "report", "step_id": "s", "agent_id": "a", "status": "completed"}
        self._durations.record(120.0, labels, context)
        self._invocations.add(1, labels, context)
        self._tokens.add(900, labels, context)
        self._log("step s completed", about, context)
        return 1

    def execution(self) -> int:
        """The spans, metric updates and log records of one execution's events."""
        self._number += 1
        about: dict[str, Any] = {"workflow_id": "report", "execution_id": f"exe_{self._number:016x}"}
        workflow = self._tracer.start_span("awf.workflow", context=Context(), attributes=about)
        within = set_span_in_context(workflow, Context())
        self._log("workflow report started", about, within)
        for step in ("plan", "write", "check"):
            self._step({**about, "step_id": step, "agent_id": f"{step}-agent"}, within)
        self._workflows.add(1, {"workflow_id": "report", "status": "completed"}, within)
        self._log("workflow report completed", about, within)
        workflow.end()
        return EVENTS_AN_EXECUTION

    def _step(self, about: dict[str, Any], within: Context) -> None:
        step = self._tracer.start_span("awf.step", context=within, attributes=about)
        inside = set_span_in_context(step, Context())
        self._log("step started", about, inside)
        agent = self._tracer.start_span("awf.agent.invoke", context=inside, attributes=about)
        context = set_span_in_context(agent, Context())
        self._log("agent invoked", about, context)
        model = {"model": "gpt-large", "provider": "openai"}
        agent.set_attributes({"input_tokens": 900, "output_tokens": 300, **model})
        agent.end()
        who = {"agent_id": about["agent_id"]}
        self._invocations.add(1, {**who, "framework": "python", "status": "completed"}, context)
        for direction, count in (("input", 900), ("output", 300)):
            self._tokens.add(count, {**who, "direction": direction, "model": "gpt-large"}, context)
            self._usage.record(count, {"type": direction, **model}, context)
        self._costs.add(0.004, {**who, "provider": "openai"}, context)
        self._seconds.record(0.12, {"operation": "invoke_agent", **model}, context)
        self._log("agent completed", {**about, **model}, context)
        labels = {
            "workflow_id": "report",
            "step_id": about["step_id"],
            "framework": "python",
            "status": "completed",
        }
        self._durations.record(120.0, {**who, **labels}, inside)
        self._log("step completed", about, inside)
        step.end()

    def _log(self, body: str, about: dict[str, Any], context: Context) -> None:
        now = time.time_ns()
        self._logger.emit(
            timestamp=now, observed_timestamp=now, context=context, severity_number=SeverityNumber.INFO,
            severity_text="INFO", body=body, attributes={**about, "level": "info"},
        )  # fmt: skip
