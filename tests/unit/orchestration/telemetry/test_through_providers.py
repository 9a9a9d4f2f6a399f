"""Telemetry as a program's own OpenTelemetry providers get it."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NoOpTracerProvider, StatusCode

from awf.core import semconv
from awf.core.counters import Counters
from awf.core.types import ControlKind, ExecutionId, TaskMetrics, TokenUsage
from awf.errors import ConfigError
from awf.orchestration import AgentError, AgentResult, EventType, StepContext, WorkflowEvent, identity
from awf.orchestration.otel_exporter import OTelExporter
from awf.orchestration.telemetry.measurements import INSTRUMENTS
from tests.collector import Collector

from .._parts import Bench, hang, make_registry, make_step, make_workflow
from ._events import completed

LABELS = {instrument.name: instrument.labels for instrument in INSTRUMENTS} | semconv.METRIC_LABELS


async def think(context: StepContext) -> AgentResult:
    return AgentResult("secret output", TaskMetrics(7.0, TokenUsage(10, 20), 0.5), "m1", "p1")


async def refuse(context: StepContext) -> AgentResult:
    raise AgentError("provider returned 429", error_type="rate_limit", model="m2", provider="p2")


WORKFLOW = make_workflow(
    "w", make_step("draft", "refuse", retries=1, fallback="think"), make_step("end", "think", "draft")
)


class Memory:
    """An exporter whose spans, metrics and logs stay in memory."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self._reader = InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        loggers = LoggerProvider(shutdown_on_exit=False)
        loggers.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.exporter = OTelExporter(tracer_provider=tracers, meter_provider=meters, logger_provider=loggers)

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._spans.get_finished_spans() if span.name == name]

    def logs(self) -> list[Any]:
        return [item.log_record for item in self._logs.get_finished_logs()]

    def names(self) -> set[str]:
        return {span.name for span in self._spans.get_finished_spans()}

    def metrics(self) -> dict[str, Any]:
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {m.name: m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        """Label values in the order of semconv -> value (count for histograms)."""
        found = {}
        for point in self.metrics()[name].data.data_points:
            labels = LABELS[name]
            assert set(point.attributes) <= set(labels)
            key = tuple(str(point.attributes.get(label, "")) for label in labels)
            found[key] = point.count if hasattr(point, "count") else point.value
        return found


async def run_once(memory: Memory, agents: dict[str, Any] | None = None, workflow: Any = WORKFLOW) -> Bench:
    bench = Bench(make_registry(agents or {"refuse": refuse, "think": think}, workflow))
    async with bench:
        bench.emitter.subscribe(memory.exporter.on_event)
        await bench.engine.wait(await bench.engine.submit("w", {"question": "secret input"}))
    assert await memory.exporter.flush()
    return bench


async def test_spans_follow_the_execution_with_the_events_times() -> None:
    memory = Memory()
    bench = await run_once(memory)
    (root,) = memory.spans(semconv.SPAN_WORKFLOW)
    draft, end = memory.spans(semconv.SPAN_STEP)
    first, second, third, fourth = memory.spans(semconv.SPAN_AGENT_INVOKE)
    assert root.parent is None
    assert {span.context.trace_id for span in (root, draft, end, first, fourth)} == {root.context.trace_id}
    assert draft.parent.span_id == end.parent.span_id == root.context.span_id
    assert first.parent.span_id == second.parent.span_id == third.parent.span_id == draft.context.span_id
    assert (root.start_time, root.end_time) == (bench.events[0].time_ns, bench.events[-1].time_ns)
    assert dict(root.attributes) == {"workflow_id": "w", "execution_id": bench.events[0].execution_id}
    assert (draft.attributes["agent_id"], draft.attributes["attempt"]) == ("think", 3)
    assert first.attributes["error.type"] == "rate_limit"
    assert third.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert third.attributes["gen_ai.provider.name"] == "p1"
    assert third.attributes["gen_ai.request.model"] == "m1"
    assert third.attributes["gen_ai.usage.output_tokens"] == third.attributes["output_tokens"] == 20
    assert [event.name for event in draft.events] == ["workflow.step.retrying", "workflow.step.fallback"]
    assert [s.status.status_code for s in (root, first, third)] == [
        StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET,
    ]  # fmt: skip
    assert first.status.description == "provider returned 429"
    assert first.events[0].attributes == {
        "exception.type": "rate_limit", "exception.message": "provider returned 429",
    }  # fmt: skip


async def test_metrics_count_steps_once_and_attempts_each() -> None:
    memory = Memory()
    await run_once(memory)
    assert memory.values(semconv.STEP_DURATION) == {
        ("w", "draft", "think", "python", "completed"): 1, ("w", "end", "think", "python", "completed"): 1,
    }  # fmt: skip
    assert memory.values(semconv.AGENT_INVOCATIONS) == {
        ("refuse", "python", "completed"): 0, ("refuse", "python", "failed"): 2,
        ("think", "python", "completed"): 2, ("think", "python", "failed"): 0,
    }  # fmt: skip
    assert memory.values(semconv.TOKENS) == {("think", "input", "m1"): 20, ("think", "output", "m1"): 40}
    assert memory.values(semconv.COST) == {("think", "p1"): 1.0}
    assert memory.values(semconv.RETRIES) == {("draft", "refuse"): 1}
    assert memory.values(semconv.FALLBACKS) == {("draft",): 1}
    assert memory.values(semconv.WORKFLOWS) == {("w", "completed"): 1, ("w", "failed"): 0}


async def test_instruments_have_their_buckets_no_unit_and_exemplars() -> None:
    memory = Memory()
    await run_once(memory)
    metrics = memory.metrics()
    assert {metric.unit for name, metric in metrics.items() if name.startswith("awf_")} == {""}
    (point, _) = metrics[semconv.STEP_DURATION].data.data_points
    assert tuple(point.explicit_bounds) == semconv.STEP_DURATION_BUCKETS_MS
    (exemplar,) = point.exemplars
    (root,) = memory.spans(semconv.SPAN_WORKFLOW)
    assert exemplar.trace_id == root.context.trace_id
    assert exemplar.span_id in {span.context.span_id for span in memory.spans(semconv.SPAN_STEP)}


async def test_logs_say_what_happened_and_where_to_find_the_trace() -> None:
    memory = Memory()
    bench = await run_once(memory)
    records = memory.logs()
    assert len(records) == len(bench.events)
    (retrying,) = [r for r in records if r.attributes["event_type"] == "workflow.step.retrying"]
    assert retrying.body == (
        "step draft of workflow w is retried in 1.0 s: agent refuse: provider returned 429 (rate_limit), attempt 1"
    )
    assert (retrying.severity_text, retrying.attributes["level"]) == ("WARN", "warn")
    assert retrying.attributes["error_type"] == "rate_limit"
    assert set(retrying.attributes) == {
        "level", "event_type", "workflow_id", "execution_id", "step_id", "agent_id", "attempt", "error_type",
    }  # fmt: skip
    assert retrying.span_id in {span.context.span_id for span in memory.spans(semconv.SPAN_STEP)}
    assert records[-1].body.startswith("workflow w completed with 60 tokens for 1.0000 USD")


async def test_a_failed_step_reads_as_in_a_sentence() -> None:
    memory = Memory()
    await run_once(memory, {"refuse": refuse}, make_workflow("w", make_step("draft", "refuse")))
    bodies = [record.body for record in memory.logs()]
    assert (
        "step draft of workflow w failed: agent refuse: provider returned 429 (rate_limit), attempt 1"
        in bodies
    )
    (root,) = memory.spans(semconv.SPAN_WORKFLOW)
    assert root.status.status_code is StatusCode.ERROR
    assert memory.values(semconv.WORKFLOWS) == {("w", "completed"): 0, ("w", "failed"): 1}


async def test_inputs_and_outputs_leave_nowhere() -> None:
    memory = Memory()
    await run_once(memory)
    spans = [span.to_json() for span in memory._spans.get_finished_spans()]
    logs = [f"{record.body}{dict(record.attributes)}" for record in memory.logs()]
    assert "secret" not in "".join(spans + logs + [str(memory.metrics())])


async def test_cancelling_is_neither_success_nor_failure() -> None:
    memory = Memory()
    bench = Bench(make_registry({"a": hang}, make_workflow("w", make_step("s"))))
    async with bench:
        bench.emitter.subscribe(memory.exporter.on_event)
        execution_id = await bench.engine.submit("w", {})
        await bench.settle()
        await bench.engine.cancel(execution_id)
    assert await memory.exporter.flush()
    assert memory.values(semconv.WORKFLOWS)["w", "cancelled"] == 1
    assert memory.values(semconv.AGENT_INVOCATIONS)["a", "python", "cancelled"] == 1
    (step,) = memory.spans(semconv.SPAN_STEP)
    assert (step.status.status_code, step.attributes["status"]) == (StatusCode.UNSET, "cancelled")


async def test_gauges_look_at_the_engine_and_counters_at_the_pipeline() -> None:
    memory, counters = Memory(), Counters()
    registry = make_registry(
        {"a": hang}, make_workflow("w", make_step("s")), make_workflow("v", make_step("s"))
    )
    async with Bench(registry, workers=1) as bench:
        memory.exporter.watch(bench.engine.snapshot)
        memory.exporter.watch_counters(counters)
        counters.add(semconv.EVENTS, 3, event_type="agent.failed")
        counters.set(semconv.WATCHER_APPROVALS_PENDING, 2)
        for _ in range(3):
            await bench.engine.submit("w", {})
        assert memory.values(semconv.EXECUTIONS_ACTIVE) == {("w",): 1, ("v",): 0}
        assert memory.values(semconv.EXECUTIONS_PENDING) == {("w",): 2, ("v",): 0}
        assert memory.values(semconv.WORKERS) == {(): 1}
        await bench.controls.apply(bench.order(ControlKind.SET_WORKER_LIMIT, workers=2))
        assert memory.values(semconv.WORKERS) == {(): 2}
        assert memory.values(semconv.AGENT_TRUST_SCORE) == {("a",): 1.0}
        assert memory.values(semconv.EVENTS) == {("agent.failed",): 3}
        assert memory.values(semconv.WATCHER_APPROVALS_PENDING) == {(): 2}


async def test_an_event_whose_beginning_was_missed_still_counts() -> None:
    memory = Memory()
    for kind in EventType:
        event = WorkflowEvent(kind, WORKFLOW.id, ExecutionId(f"x-{kind}"), metrics=TaskMetrics())
        await memory.exporter.on_event(event)
    assert await memory.exporter.flush()
    assert len(memory.logs()) == len(EventType)


async def test_ids_are_those_that_follow_from_the_events() -> None:
    memory = Memory()
    bench = await run_once(memory)
    spans = {f"{span.context.span_id:016x}": span for name in memory.names() for span in memory.spans(name)}
    for event in bench.events:
        expected = identity.of(event)
        span = spans[expected.span_id]
        assert f"{span.context.trace_id:032x}" == expected.trace_id
        assert (f"{span.parent.span_id:016x}" if span.parent else "") == expected.parent_id


async def test_genai_metrics_are_those_of_the_conventions() -> None:
    memory = Memory()
    await run_once(memory)
    metrics = memory.metrics()
    usage, duration = metrics["gen_ai.client.token.usage"], metrics["gen_ai.client.operation.duration"]
    assert (usage.unit, duration.unit) == ("{token}", "s")
    assert memory.values("gen_ai.client.token.usage") == {
        ("invoke_agent", "p1", "m1", "input"): 2, ("invoke_agent", "p1", "m1", "output"): 2,
    }  # fmt: skip
    assert memory.values("gen_ai.client.operation.duration") == {
        ("invoke_agent", "p1", "m1", ""): 2, ("invoke_agent", "p2", "m2", "rate_limit"): 2,
    }  # fmt: skip


def test_a_provider_that_cannot_take_ids_is_refused() -> None:
    with pytest.raises(ConfigError, match="tracer_provider is a NoOpTracerProvider"):
        OTelExporter(tracer_provider=NoOpTracerProvider())


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 0), (1.0, 4)])
async def test_a_trace_is_sampled_as_a_whole_or_not_at_all(ratio: float, count: int) -> None:
    spans = InMemorySpanExporter()
    tracers = TracerProvider(ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    exporter = OTelExporter("http://127.0.0.1:1", tracer_provider=tracers)
    for event in completed("x1", steps=1) + completed("x2", steps=0):
        assert exporter.record(event)
    await exporter.shutdown(0.3)
    assert len(spans.get_finished_spans()) == count


async def test_a_processor_that_fails_loses_its_spans_and_stops_nothing_else() -> None:
    class Broken(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError("no room")

    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(Broken())
    with Collector() as collector:
        exporter = OTelExporter(collector.url, tracer_provider=tracers)
        for event in completed("x1", steps=1):
            assert exporter.record(event)
        assert await exporter.flush()
        await exporter.shutdown()
    assert len(collector.logs) == 6
    assert exporter.counters.get(semconv.EXPORT_FAILURES, reason="traces_not_taken") == 3
