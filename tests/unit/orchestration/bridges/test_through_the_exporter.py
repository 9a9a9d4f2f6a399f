"""What a bridge records, as the exporter sends it: the spans, and the metrics' labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from awf.core import semconv
from awf.core.types import TokenUsage
from awf.orchestration.bridges._failures import Failure
from awf.orchestration.bridges._runs import OpenRuns
from awf.orchestration.bridges.genai_spans import genai_span_processor
from awf.orchestration.otel_exporter import OTelExporter

REPOSITORY = Path(__file__).parents[4]


class Memory:
    """An exporter whose spans and metrics stay in memory, on providers that the program has as well."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.exporter = OTelExporter(
            tracer_provider=self.tracers,
            meter_provider=MeterProvider([self._reader], shutdown_on_exit=False),
            logger_provider=LoggerProvider(shutdown_on_exit=False),
        )

    async def spans(self) -> list[ReadableSpan]:
        await self.exporter.shutdown()
        return list(self._spans.get_finished_spans())

    def labels(self, metric: str) -> list[dict[str, Any]]:
        data = self._reader.get_metrics_data()
        assert data is not None
        found = [
            m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == metric
        ]
        return [dict(point.attributes or {}) for each in found for point in each.data.data_points]


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


async def test_visits_calls_and_tools_are_spans_that_hang_together() -> None:
    memory = Memory()
    runs = OpenRuns(memory.exporter.record, "langchain")
    runs.begin("w", "report")
    for failure in (Failure("rate_limit", "slow down"), None):
        runs.visit("v", "w", "draft")
        runs.tool("t", "v", "search")
        runs.end("t")
        runs.call("c", "v", step_id="m", model="gpt-4o", provider="openai")
        runs.end("c", failure, usage=TokenUsage(10, 2))
        runs.end("v", failure)
    runs.end("w")
    spans = await memory.spans()
    assert sorted(span.name for span in spans) == ["awf.agent.invoke"] * 2 + ["awf.step", "awf.workflow"]
    [workflow] = [span for span in spans if span.name == semconv.SPAN_WORKFLOW]
    [step] = [span for span in spans if span.name == semconv.SPAN_STEP]
    assert step.parent is not None
    assert step.parent.span_id == span_id(workflow)
    assert step.attributes is not None
    assert step.attributes["awf.tool.calls"] == 2
    assert step.attributes["awf.tool.names"] == ("search",)
    assert step.attributes[semconv.RETRY_COUNT] == 1
    for call in (span for span in spans if span.name == semconv.SPAN_AGENT_INVOKE):
        assert call.parent is not None
        assert call.parent.span_id == span_id(step)
        assert call.attributes is not None
        assert call.attributes[semconv.FRAMEWORK] == "langchain"
    assert len({span_id(span) for span in spans}) == 4
    assert memory.labels(semconv.RETRIES) == [{"step_id": "draft", "agent_id": "draft"}]
    expected = {"workflow_id": "report", "step_id": "draft", "agent_id": "draft", "framework": "langchain"}
    assert memory.labels(semconv.STEP_DURATION) == [{**expected, "status": "completed"}]


async def test_genai_spans_on_the_exporters_own_provider_are_told_once() -> None:
    memory = Memory()
    memory.tracers.add_span_processor(genai_span_processor(memory.exporter.record))
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
    with memory.tracers.get_tracer("theirs").start_as_current_span("invoke_agent helper", attributes=attributes) as theirs:  # fmt: skip
        pass
    spans = await memory.spans()
    assert sorted(span.name for span in spans) == ["awf.step", "awf.workflow", "invoke_agent helper"]
    [workflow] = [span for span in spans if span.name == semconv.SPAN_WORKFLOW]
    assert workflow.parent is not None
    assert workflow.parent.span_id == theirs.get_span_context().span_id


@pytest.mark.parametrize("name", ["langchain-core", "langgraph", "openai-agents", "crewai", "pydantic-ai"])
def test_the_page_names_the_versions_that_are_tested(name: str) -> None:
    page = (REPOSITORY / "docs" / "bridges.md").read_text(encoding="utf-8")
    said = re.search(rf"[| ,]{name} (\d+\.\d+)", page)
    assert said
    locks = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "requirements").glob("bridges*.txt")]
    assert any(re.search(rf"^{name}(?:-slim)?=={re.escape(said[1])}\.", lock, re.MULTILINE) for lock in locks)
