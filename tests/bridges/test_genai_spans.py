"""The bridge from OpenTelemetry GenAI spans, with the real SDK and spans as instrumentations make them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, Status, StatusCode

from awf.core import semconv
from awf.core.types import TokenUsage
from awf.orchestration import identity
from awf.orchestration.bridges import genai_spans
from awf.orchestration.bridges.genai_spans import genai_span_processor
from awf.orchestration.events import EventType, WorkflowEvent
from tests.bridges._docs import Exporter, snippet
from tests.bridges._events import checked, of_type, tokens, told

SCOPE = "opentelemetry.instrumentation.openai_v2"
ONE_CALL = [
    "workflow.started", "step.started helper", "agent.invoked helper 1", "agent.completed helper 1",
    "step.completed helper", "workflow.completed",
]  # fmt: skip


class Program:
    """A program with GenAI instrumentation."""

    def __init__(self, record: Any, **options: Any) -> None:
        self.provider = TracerProvider()
        self.processor = genai_span_processor(record, **options)
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer(SCOPE)

    @contextmanager
    def span(self, operation: str, name: str = "", **attributes: Any) -> Iterator[Span]:
        given = {"gen_ai.operation.name": operation} if operation else {}
        given |= {key.replace("__", "."): value for key, value in attributes.items()}
        with self.tracer.start_as_current_span(f"{operation} {name}".strip(), attributes=given) as span:
            yield span

    def chat(self, model: str = "gpt-4o", **attributes: Any) -> None:
        with self.span("chat", model, gen_ai__provider__name="openai", gen_ai__request__model=model, **attributes) as span:  # fmt: skip
            span.set_attribute("gen_ai.usage.input_tokens", 10)
            span.set_attribute("gen_ai.usage.output_tokens", 2)


@pytest.fixture
def events() -> list[WorkflowEvent]:
    return []


@pytest.fixture
def program(events: list[WorkflowEvent]) -> Program:
    return Program(events.append)


def test_an_agents_span_is_an_execution_with_a_step_and_continues_its_trace(
    program: Program, events: list[WorkflowEvent]
) -> None:
    with program.span("invoke_agent", "helper", gen_ai__agent__name="helper") as span:
        program.chat()
        assert events == []
    assert told(events) == ONE_CALL
    outer = span.get_span_context()
    workflow = identity.of(events[0])
    assert workflow.trace_id == f"{outer.trace_id:032x}"
    assert workflow.parent_id == f"{outer.span_id:016x}"
    assert {event.framework for event in events} == {"openai_v2"}
    [call] = of_type(events, EventType.AGENT_COMPLETED)
    assert call.data == {"model": "gpt-4o", "provider": "openai"}
    assert tokens(call) == tokens(events[-1]) == TokenUsage(10, 2)


def test_events_have_the_times_of_the_spans(program: Program, events: list[WorkflowEvent]) -> None:
    with program.span("invoke_agent", "helper") as agent:
        program.chat()
    assert isinstance(agent, trace.Span)
    start, end = agent.start_time, agent.end_time  # type: ignore[attr-defined]
    assert (events[0].time_ns, events[-1].time_ns) == (start, end)
    assert events[-1].metrics is not None
    assert events[-1].metrics.execution_time_ms == (end - start) / 1e6
    assert [event.time_ns for event in checked(events)] == sorted(event.time_ns for event in events)


def test_agents_inside_a_workflow_are_its_steps_whatever_is_between_them(
    program: Program, events: list[WorkflowEvent]
) -> None:
    with program.span("", "POST /ask"), program.span("invoke_workflow", "support"):
        for name in ("finder", "writer", "finder"):
            with program.span("", "some work"), program.span("invoke_agent", name), program.span("", "http"):
                program.chat()
    assert told(events) == [
        "workflow.started", "step.started finder", "agent.invoked finder 1", "agent.completed finder 1",
        "step.started writer", "agent.invoked writer 1", "agent.completed writer 1",
        "agent.invoked finder 2", "agent.completed finder 2", "step.completed finder", "step.completed writer",
        "workflow.completed",
    ]  # fmt: skip
    assert events[0].workflow_id == "support"


def test_a_call_without_an_agent_is_an_execution(program: Program, events: list[WorkflowEvent]) -> None:
    program.chat()
    assert told(events) == [line.replace("helper", "chat") for line in ONE_CALL]
    assert events[0].workflow_id == "chat"


def test_tools_are_attributes_of_the_step(program: Program, events: list[WorkflowEvent]) -> None:
    with program.span("invoke_agent", "helper"):
        with program.span("execute_tool", "search", gen_ai__tool__name="search"):
            pass
        with program.span("execute_tool", "add") as span:
            span.set_status(Status(StatusCode.ERROR, "no"))
        program.chat()
    [step] = of_type(checked(events), EventType.STEP_COMPLETED)
    assert step.data["attributes"] == {
        "awf.tool.calls": 2,
        "awf.tool.errors": 1,
        "awf.tool.names": ["add", "search"],
    }


def test_an_agent_elsewhere_is_one_attempt_with_its_tokens(
    program: Program, events: list[WorkflowEvent]
) -> None:
    usage = {"gen_ai__usage__input_tokens": 70, "gen_ai__usage__output_tokens": 30}
    with program.span("invoke_agent", "helper", gen_ai__agent__name="helper", **usage):
        pass
    assert told(events) == ONE_CALL
    assert tokens(events[-1]) == TokenUsage(70, 30)


@pytest.mark.parametrize(
    ("given", "error_type"),
    [
        ("openai.RateLimitError", "rate_limit"), ("429", "rate_limit"), ("500", "http_500"),
        ("timeout", "timeout"), ("ValueError", "value_error"), ("asyncio.CancelledError", "cancelled"),
    ],
)  # fmt: skip
def test_an_error_has_the_type_that_the_span_names(
    program: Program, events: list[WorkflowEvent], given: str, error_type: str
) -> None:
    with program.span("invoke_agent", "helper"), program.span("chat", error__type=given) as span:
        span.set_status(Status(StatusCode.ERROR, "it went wrong"))
    [call] = of_type(checked(events), EventType.AGENT_FAILED)
    assert (call.error_type, call.error) == (error_type, "it went wrong")
    assert events[-1].type is EventType.WORKFLOW_COMPLETED


def test_an_exception_fails_all_spans_that_it_passes(program: Program, events: list[WorkflowEvent]) -> None:
    with (
        pytest.raises(ValueError, match="boom"),
        program.span("invoke_agent", "helper"),
        program.span("chat"),
    ):
        raise ValueError("boom")
    assert told(events)[-3:] == [
        "agent.failed helper 1 value_error", "step.failed helper value_error", "workflow.failed value_error",
    ]  # fmt: skip


def test_a_call_that_outlives_its_agent_is_an_execution_of_its_own(
    program: Program, events: list[WorkflowEvent]
) -> None:
    with program.span("invoke_agent", "helper"):
        late = program.tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat"})
    late.end()
    assert [event.workflow_id for event in of_type(checked(events), EventType.WORKFLOW_COMPLETED)] == ["helper", "chat"]  # fmt: skip
    assert len({identity.of(event).trace_id for event in events}) == 1


def test_agents_at_once_stay_apart(program: Program, events: list[WorkflowEvent]) -> None:
    def work() -> None:
        for _ in range(5):
            with program.span("invoke_agent", "helper"):
                program.chat()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {event.execution_id for event in checked(events)}
    assert len(ids) == 30
    for execution_id in ids:
        assert told([event for event in events if event.execution_id == execution_id]) == ONE_CALL


def test_spans_of_awf_itself_do_not_come_back(program: Program, events: list[WorkflowEvent]) -> None:
    ours = program.provider.get_tracer(semconv.SCOPE_NAME)
    with ours.start_as_current_span("awf.step", Context()):
        attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
        with ours.start_as_current_span("awf.agent.invoke", attributes=attributes):
            pass
    assert events == []


def test_other_spans_and_other_operations_are_no_events(
    program: Program, events: list[WorkflowEvent]
) -> None:
    for operation in ("", "create_agent", "embeddings"):
        with program.span(operation, "x"):
            pass
    assert events == []


def test_spans_that_never_end_are_forgotten_and_counted(
    program: Program,
    events: list[WorkflowEvent],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(genai_spans, "MAX_OPEN_SPANS", 10)
    attributes = {"gen_ai.operation.name": "invoke_agent"}
    left = program.tracer.start_span("invoke_agent left", attributes=attributes)
    with trace.use_span(left):
        program.chat()
    with caplog.at_level(logging.WARNING):
        others = [program.tracer.start_span("x") for _ in range(10)]
    left.end()
    for span in others:
        span.end()
    assert [record.spans for record in caplog.records] == [1]  # type: ignore[attr-defined]
    assert "agent.invoked" not in " ".join(told(events))


def test_what_waits_at_a_shutdown_is_counted(
    program: Program, events: list[WorkflowEvent], caplog: pytest.LogCaptureFixture
) -> None:
    with program.span("invoke_agent", "helper"):
        program.chat()
        with caplog.at_level(logging.WARNING):
            program.provider.shutdown()
    assert [record.spans for record in caplog.records] == [1]  # type: ignore[attr-defined]
    assert program.processor.force_flush()


@pytest.mark.parametrize("include", [False, True])
def test_content_is_recorded_where_it_is_asked_for(events: list[WorkflowEvent], include: bool) -> None:
    program = Program(events.append, workflow_id="mine", include_content=include)
    messages = {"gen_ai__input__messages": '[{"role": "user"}]', "gen_ai__output__messages": "[]"}
    with program.span("invoke_agent", "helper"):
        program.chat(**messages)
    assert {event.workflow_id for event in checked(events)} == {"mine"}
    [invoked], [answered] = (
        of_type(events, EventType.AGENT_INVOKED),
        of_type(events, EventType.AGENT_COMPLETED),
    )
    assert invoked.data.get("input") == ('[{"role": "user"}]' if include else None)
    assert answered.data.get("output") == ("[]" if include else None)


def test_the_snippet_of_the_page_works() -> None:
    exporter = Exporter()
    names: dict[str, Any] = {"exporter": exporter}
    exec(snippet("OpenTelemetry GenAI spans"), names)
    attributes = {"gen_ai.operation.name": "chat"}
    with names["provider"].get_tracer(SCOPE).start_as_current_span("chat", attributes=attributes):
        pass
    assert told(exporter.events)[-1] == "workflow.completed"
