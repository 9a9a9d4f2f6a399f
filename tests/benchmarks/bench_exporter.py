"""What our exporter adds to the raw OpenTelemetry SDK, in CPU time per workflow event.

Nothing is sent and nothing is encoded: spans and logs end in a processor that drops them. The raw SDK's unit is
the usual one: a span, three metric updates and a log record. `The same telemetry by hand` makes as many spans,
metric updates and log records as our exporter derives from the events of one execution: half a span, one log
record and a little over one metric update for each event.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from _measuring import compare, print_table, seconds_per_unit
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import set_span_in_context

from awf.core.counters import Counters
from awf.core.types import AgentId, ExecutionId, StepId, TaskMetrics, TokenUsage, WorkflowId
from awf.orchestration.events import EventEmitter, EventType, WorkflowEvent
from awf.orchestration.otel_exporter import OTelExporter

EXECUTIONS = 400
STEPS = 3
ROUNDS = 5
RATE = 5_000
COMBINATION = "raw SDK, 1 span + 3 metrics + 1 log"
WORKFLOW, FRAMEWORK, MODEL, PROVIDER = WorkflowId("report"), "python", "m-1", "p-1"
METRICS = TaskMetrics(120.0, TokenUsage(900, 300), 0.004)


class DropLogs(LogRecordProcessor):
    def on_emit(self, log_record: Any) -> None: ...

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def providers() -> tuple[TracerProvider, MeterProvider, LoggerProvider]:
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SpanProcessor())
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(DropLogs())
    return tracers, MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False), loggers


def one_execution(number: int) -> list[WorkflowEvent]:
    """Return the events of one execution: three steps, one agent each, all of it well."""
    execution = ExecutionId(f"exe_{number:016x}")

    def event(kind: EventType, step: int | None = None, metrics: TaskMetrics | None = None) -> WorkflowEvent:
        if step is None:
            return WorkflowEvent(kind, WORKFLOW, execution)
        data = {"model": MODEL, "provider": PROVIDER} if kind.value.startswith("agent") else {}
        return WorkflowEvent(
            kind, WORKFLOW, execution, step_id=StepId(f"step-{step}"), agent_id=AgentId(f"agent-{step}"),
            framework=FRAMEWORK, attempt=1, metrics=metrics, data=data,
        )  # fmt: skip

    events = [event(EventType.WORKFLOW_STARTED)]
    for step in range(STEPS):
        events += [
            event(EventType.STEP_STARTED, step),
            event(EventType.AGENT_INVOKED, step),
            event(EventType.AGENT_COMPLETED, step, METRICS),
            event(EventType.STEP_COMPLETED, step, METRICS),
        ]
    return [*events, event(EventType.WORKFLOW_COMPLETED)]


class Raw:
    """The SDK used by hand."""

    def __init__(self) -> None:
        tracers, meters, loggers = providers()
        self.tracer, self.logger = tracers.get_tracer("raw"), loggers.get_logger("raw")
        meter = meters.get_meter("raw")
        self.durations = meter.create_histogram("durations")
        self.invocations = meter.create_counter("invocations")
        self.tokens = meter.create_counter("tokens")
        self.costs = meter.create_counter("costs")
        self.workflows = meter.create_counter("workflows")

    def combination(self) -> int:
        """One span, three metric updates and one log record: the unit of the comparison."""
        for number in range(EXECUTIONS * STEPS):
            about = {
                "workflow_id": WORKFLOW,
                "execution_id": f"exe_{number}",
                "step_id": "s",
                "agent_id": "a",
            }
            span = self.tracer.start_span("awf.step", context=Context(), attributes=about)
            context = set_span_in_context(span, Context())
            span.end()
            labels = {"workflow_id": WORKFLOW, "step_id": "s", "agent_id": "a", "status": "completed"}
            self.durations.record(120.0, labels, context)
            self.invocations.add(1, labels, context)
            self.tokens.add(900, labels, context)
            self.log("step s completed", about, context)
        return EXECUTIONS * STEPS

    def same_telemetry(self) -> int:
        """The spans, metric updates and log records that our exporter makes of these events."""
        for number in range(EXECUTIONS):
            self.execution(f"exe_{number}")
        return EXECUTIONS * len(one_execution(0))

    def execution(self, execution: str) -> None:
        about: dict[str, Any] = {"workflow_id": WORKFLOW, "execution_id": execution}
        workflow = self.tracer.start_span("awf.workflow", context=Context(), attributes=about)
        within = set_span_in_context(workflow, Context())
        self.log("workflow report started", about, within)
        for step in range(STEPS):
            self.step(about | {"step_id": f"step-{step}", "agent_id": f"agent-{step}"}, within)
        self.workflows.add(1, {"workflow_id": WORKFLOW, "status": "completed"}, within)
        self.log("workflow report completed", about, within)
        workflow.end()

    def step(self, about: dict[str, Any], within: Context) -> None:
        step = self.tracer.start_span("awf.step", context=within, attributes=about)
        inside = set_span_in_context(step, Context())
        self.log("step started", about, inside)
        agent = self.tracer.start_span("awf.agent.invoke", context=inside, attributes=about)
        context = set_span_in_context(agent, Context())
        self.log("agent invoked", about, context)
        agent.set_attributes(
            {"input_tokens": 900, "output_tokens": 300, "model": MODEL, "provider": PROVIDER}
        )
        agent.end()
        who = {"agent_id": about["agent_id"]}
        self.invocations.add(1, who | {"framework": FRAMEWORK, "status": "completed"}, context)
        self.tokens.add(900, who | {"direction": "input", "model": MODEL}, context)
        self.tokens.add(300, who | {"direction": "output", "model": MODEL}, context)
        self.costs.add(0.004, who | {"provider": PROVIDER}, context)
        self.log("agent completed", about, context)
        labels = {
            "workflow_id": WORKFLOW,
            "step_id": about["step_id"],
            "framework": FRAMEWORK,
            "status": "ok",
        }
        self.durations.record(120.0, who | labels, inside)
        self.log("step completed", about, inside)
        step.end()

    def log(self, body: str, about: dict[str, Any], context: Context) -> None:
        now = time.time_ns()
        self.logger.emit(
            timestamp=now, observed_timestamp=now, context=context, severity_number=SeverityNumber.INFO,
            severity_text="INFO", body=body, attributes={**about, "level": "info"},
        )  # fmt: skip


class Ours:
    """The same events through our exporter, made beforehand: making them is the engine's work."""

    def __init__(self) -> None:
        tracers, meters, loggers = providers()
        self.exporter = OTelExporter(tracer_provider=tracers, meter_provider=meters, logger_provider=loggers)
        self.batches = iter([self.batch(number) for number in range(ROUNDS + 1)])

    def batch(self, number: int) -> list[WorkflowEvent]:
        first = number * EXECUTIONS
        return [event for each in range(first, first + EXECUTIONS) for event in one_execution(each)]

    def on_event(self) -> int:
        events = next(self.batches)
        asyncio.run(self.hand_over(events))
        return len(events)

    async def hand_over(self, events: list[WorkflowEvent]) -> None:
        for event in events:
            await self.exporter.on_event(event)


async def emit_latencies(seconds: float) -> list[float]:
    """Return how long `emit` took, for each event of an engine that emits at a steady rate."""
    emitter, ours, found = EventEmitter(Counters()), Ours(), []
    emitter.subscribe(ours.exporter.on_event, queue_size=65_536)
    begin = time.perf_counter()
    events = [event for batch in ours.batches for event in batch]
    for number, event in enumerate(events[: int(RATE * seconds)]):
        wait = begin + number / RATE - time.perf_counter()
        await asyncio.sleep(max(0.0, wait))
        start = time.perf_counter()
        await emitter.emit(event)
        found.append(time.perf_counter() - start)
    await emitter.aclose(5.0)
    return sorted(found)


def main() -> None:
    raw, ours = Raw(), Ours()
    found = seconds_per_unit(
        {
            COMBINATION: raw.combination,
            "raw SDK, the same telemetry by hand": raw.same_telemetry,
            "ours, on_event": ours.on_event,
        },
        rounds=ROUNDS,
        clock=time.process_time,
    )
    compare("CPU time, nothing sent", "us per event", found, baseline=COMBINATION)
    latencies = asyncio.run(emit_latencies(2.0))
    shares = {"half": 0.5, "99 in 100": 0.99, "999 in 1000": 0.999}
    rows = [
        [f"{name} within", f"{latencies[int(len(latencies) * at)] * 1e6:,.1f}"] for name, at in shares.items()
    ]
    print_table(f"One emit() at {RATE:,} events/s, the exporter subscribed", ["", "us"], rows)


if __name__ == "__main__":
    main()
