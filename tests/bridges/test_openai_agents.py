"""The bridge to the OpenAI Agents SDK, with the real package and a model of our own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from agents import Agent, MaxTurnsExceeded, RunConfig, Runner, function_tool, trace
from agents.items import ModelResponse
from agents.models.interface import Model
from agents.tracing import (
    agent_span,
    generation_span,
    get_trace_provider,
    response_span,
    set_trace_processors,
)
from agents.usage import Usage
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from opentelemetry.sdk.trace import TracerProvider

from awf.core.types import TokenUsage
from awf.orchestration import identity
from awf.orchestration.bridges.openai_agents import openai_agents_processor
from awf.orchestration.events import EventType, WorkflowEvent
from tests.bridges._docs import Exporter, snippet
from tests.bridges._events import checked, of_type, tokens, told

Answer = str | ResponseFunctionToolCall | BaseException | None
ONE_AGENT = [
    "workflow.started", "step.started helper", "agent.invoked helper 1", "agent.completed helper 1",
    "step.completed helper", "workflow.completed",
]  # fmt: skip


class FakeModel(Model):
    """Gives its answers in turn, in a span as the SDK's own models open one. None is an answer that never
    comes."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)

    async def get_response(self, *args: Any, tracing: Any, **kwargs: Any) -> ModelResponse:
        with generation_span(
            model="fake-1", input=[{"content": "question"}], disabled=tracing.is_disabled()
        ) as span:
            output = await self._next()
            span.span_data.usage = {"input_tokens": 10, "output_tokens": 2}
            span.span_data.output = [item.model_dump() for item in output]
        return ModelResponse(
            output=output, usage=Usage(requests=1, input_tokens=10, output_tokens=2), response_id=None
        )

    async def stream_response(self, *args: Any, tracing: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        with response_span() as span:
            output = await self._next()
            response = Response(
                id="r", created_at=0, model="gpt-fake", object="response", output=output,
                parallel_tool_calls=False, tool_choice="auto", tools=[],
                usage={
                    "input_tokens": 7, "output_tokens": 3, "total_tokens": 10,
                    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                    "output_tokens_details": {"reasoning_tokens": 0},
                },
            )  # fmt: skip
            span.span_data.response = response
            yield ResponseCompletedEvent(type="response.completed", sequence_number=0, response=response)

    async def _next(self) -> list[Any]:
        answer = self._answers.pop(0)
        if answer is None:
            await asyncio.sleep(60)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, ResponseFunctionToolCall):
            return [answer]
        text = ResponseOutputText(type="output_text", text=str(answer), annotations=[])
        return [
            ResponseOutputMessage(
                id="m", type="message", role="assistant", status="completed", content=[text]
            )
        ]


_numbers = itertools.count(1)


def calls(name: str, arguments: str = "{}") -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        type="function_call", call_id=f"call-{next(_numbers)}", name=name, arguments=arguments
    )


def agent(*answers: Answer, name: str = "helper", **options: Any) -> Agent[Any]:
    return Agent(name=name, model=FakeModel(*answers), **options)


@function_tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@pytest.fixture
def events() -> Iterator[list[WorkflowEvent]]:
    found: list[WorkflowEvent] = []
    set_trace_processors([openai_agents_processor(found.append)])
    yield found
    set_trace_processors([])


async def test_a_run_is_an_execution_and_its_agent_a_step(events: list[WorkflowEvent]) -> None:
    await Runner.run(agent("hello"), "hi", run_config=RunConfig(workflow_name="support"))
    assert told(events) == ONE_AGENT
    assert {event.workflow_id for event in events} == {"support"}
    [call] = of_type(events, EventType.AGENT_COMPLETED)
    assert call.data == {"model": "fake-1", "provider": ""}
    assert tokens(call) == tokens(events[-1]) == TokenUsage(10, 2)


async def test_turns_are_attempts_and_tools_are_attributes(events: list[WorkflowEvent]) -> None:
    helper = agent(calls("add", '{"a": 1, "b": 2}'), calls("add", "no JSON"), "3", tools=[add])
    await Runner.run(helper, "hi")
    assert [event.attempt for event in of_type(checked(events), EventType.AGENT_COMPLETED)] == [1, 2, 3]
    [step] = of_type(events, EventType.STEP_COMPLETED)
    assert step.data["attributes"]["awf.tool.calls"] == 2
    assert step.data["attributes"]["awf.tool.errors"] == 1
    assert step.data["attributes"]["awf.tool.names"] == ["add"]


async def test_a_handoff_goes_on_in_the_other_agents_step(events: list[WorkflowEvent]) -> None:
    other = agent("done", name="other")
    await Runner.run(agent(calls("transfer_to_other"), handoffs=[other]), "hi")
    assert [event.step_id for event in of_type(checked(events), EventType.STEP_COMPLETED)] == [
        "helper",
        "other",
    ]


async def test_an_agent_used_as_a_tool_is_a_step_of_the_same_execution(events: list[WorkflowEvent]) -> None:
    expert = agent("42", name="expert").as_tool("ask_expert", "Ask.")
    await Runner.run(agent(calls("ask_expert", '{"input": "x"}'), "done", tools=[expert]), "hi")
    assert [event.step_id for event in of_type(checked(events), EventType.STEP_STARTED)] == [
        "helper",
        "expert",
    ]
    assert len(of_type(events, EventType.WORKFLOW_STARTED)) == 1
    assert tokens(events[-1]) == TokenUsage(30, 6)


async def test_runs_in_one_trace_are_one_execution(events: list[WorkflowEvent]) -> None:
    with trace("both"):
        await Runner.run(agent("a"), "hi")
        await Runner.run(agent("b"), "hi")
    assert told(events) == [
        *ONE_AGENT[:4], "agent.invoked helper 2", "agent.completed helper 2", *ONE_AGENT[4:]
    ]  # fmt: skip
    assert events[0].workflow_id == "both"


async def test_a_trace_id_that_is_used_again_makes_other_spans(events: list[WorkflowEvent]) -> None:
    for _ in range(2):
        config = RunConfig(trace_id="trace_0123456789abcdef0123456789abcdef")
        await Runner.run(agent("a"), "hi", run_config=config)
    assert told(events) == ONE_AGENT * 2


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_broken_model_fails_agent_step_and_workflow(
    events: list[WorkflowEvent], is_streamed: bool
) -> None:
    with pytest.raises(ValueError, match="boom"):
        await run(agent(ValueError("boom")), is_streamed)
    assert told(events)[-3:] == [
        "agent.failed helper 1 value_error", "step.failed helper value_error", "workflow.failed value_error",
    ]  # fmt: skip
    assert {event.error for event in events[-3:]} == {"boom"}


async def run(helper: Agent[Any], is_streamed: bool) -> None:
    if not is_streamed:
        await Runner.run(helper, "hi")
        return
    async for _ in Runner.run_streamed(helper, "hi").stream_events():
        pass


async def test_the_limit_of_turns_fails_step_and_workflow(events: list[WorkflowEvent]) -> None:
    helper = agent(*[calls("add", '{"a": 1, "b": 2}')] * 3, tools=[add])
    with pytest.raises(MaxTurnsExceeded):
        await Runner.run(helper, "hi", max_turns=2)
    assert told(events)[-2:] == [
        "step.failed helper max_turns_exceeded", "workflow.failed max_turns_exceeded",
    ]  # fmt: skip


async def test_a_run_while_an_exception_is_handled_is_not_failed_by_it(events: list[WorkflowEvent]) -> None:
    try:
        raise LookupError("earlier")
    except LookupError:
        await Runner.run(agent("hello"), "hi")
    assert told(events) == ONE_AGENT


async def test_a_streamed_run_tells_the_same(events: list[WorkflowEvent]) -> None:
    await run(agent("hello"), is_streamed=True)
    assert told(events) == ONE_AGENT
    [call] = of_type(events, EventType.AGENT_COMPLETED)
    assert call.data == {"model": "gpt-fake", "provider": "openai"}
    assert tokens(call) == TokenUsage(7, 3)


async def test_a_stream_that_is_abandoned_ends_as_cancelled(events: list[WorkflowEvent]) -> None:
    result = Runner.run_streamed(agent(calls("add", '{"a": 1, "b": 2}'), None, tools=[add]), "hi")
    async for _ in result.stream_events():
        break
    result.cancel()
    while not of_type(events, EventType.WORKFLOW_CANCELLED):
        await asyncio.sleep(0.01)
    assert told(events)[-2:] == ["step.failed helper cancelled", "workflow.cancelled cancelled"]


async def test_a_cancelled_run_ends_as_cancelled(events: list[WorkflowEvent]) -> None:
    task = asyncio.create_task(Runner.run(agent(None), "hi"))
    while not of_type(events, EventType.AGENT_INVOKED):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told(events)[-3:] == [
        "agent.failed helper 1 cancelled", "step.failed helper cancelled", "workflow.cancelled cancelled",
    ]  # fmt: skip


async def test_a_run_that_goes_on_after_an_approval_is_the_next_run_of_its_execution(
    events: list[WorkflowEvent],
) -> None:
    @function_tool(needs_approval=True)
    def delete(name: str) -> str:
        """Delete."""
        return name

    helper = agent(calls("delete", '{"name": "x"}'), "gone", tools=[delete])
    result = await Runner.run(helper, "hi")
    state = result.to_state()
    state.approve(result.interruptions[0])
    await Runner.run(helper, state)
    assert [event.run for event in of_type(checked(events), EventType.WORKFLOW_COMPLETED)] == [1, 2]
    assert len({event.execution_id for event in events}) == 1


async def test_a_span_that_outlives_its_parent_stays_in_its_execution(events: list[WorkflowEvent]) -> None:
    with trace("late"):
        with agent_span("helper") as parent:
            pass
        with generation_span(model="fake-1", parent=parent):
            pass
    assert len(of_type(checked(events), EventType.WORKFLOW_STARTED)) == 1
    assert len(of_type(events, EventType.AGENT_COMPLETED)) == 1


async def test_runs_at_once_stay_apart(events: list[WorkflowEvent]) -> None:
    await asyncio.gather(*(Runner.run(agent("a"), "hi") for _ in range(10)))
    ids = {event.execution_id for event in checked(events)}
    assert len(ids) == 10
    for execution_id in ids:
        assert told([event for event in events if event.execution_id == execution_id]) == ONE_AGENT


async def test_the_callers_trace_is_continued(events: list[WorkflowEvent]) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        await Runner.run(agent("a"), "hi")
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert {identity.of(event).trace_id for event in checked(events)} == {trace_id}


async def test_content_is_recorded_where_it_is_asked_for() -> None:
    found: list[WorkflowEvent] = []
    set_trace_processors([openai_agents_processor(found.append, workflow_id="mine", include_content=True)])
    await Runner.run(agent("hello"), "hi")
    assert told(found) == ONE_AGENT
    assert found[0].workflow_id == "mine"
    assert "question" in of_type(found, EventType.AGENT_INVOKED)[0].data["input"]
    assert "hello" in of_type(found, EventType.AGENT_COMPLETED)[0].data["output"]


async def test_what_is_open_when_tracing_is_shut_down_is_cancelled() -> None:
    found: list[WorkflowEvent] = []
    processor = openai_agents_processor(found.append)
    set_trace_processors([processor])
    span = trace("open")
    span.start()
    processor.shutdown()
    span.finish()
    assert told(found) == ["workflow.started", "workflow.cancelled cancelled"]


@pytest.mark.usefixtures("own_loop")
def test_the_snippet_of_the_page_works() -> None:
    set_trace_processors([])
    exporter = Exporter()
    exec(snippet("OpenAI Agents SDK"), {"exporter": exporter})
    Runner.run_sync(agent("hello"), "hi")
    set_trace_processors([])
    assert told(exporter.events) == ONE_AGENT
    assert get_trace_provider() is not None
