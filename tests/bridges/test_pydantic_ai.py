"""The bridge to pydantic-ai, with the real package and the models it ships for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent, ModelRetry, models
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage

from awf.core.types import TokenUsage
from awf.orchestration import identity
from awf.orchestration.bridges.pydantic_ai import pydantic_ai_capability
from awf.orchestration.events import EventType, WorkflowEvent
from tests.bridges._docs import Exporter, snippet
from tests.bridges._events import checked, of_type, tokens, told

ONE_REQUEST = [
    "workflow.started", "step.started helper", "agent.invoked helper 1", "agent.completed helper 1",
    "step.completed helper", "workflow.completed",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_real_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ALLOW_MODEL_REQUESTS", False)


@pytest.fixture
def events() -> list[WorkflowEvent]:
    return []


@pytest.fixture
def capability(events: list[WorkflowEvent]) -> Iterator[Any]:
    return pydantic_ai_capability(events.append)


def agent(
    capability: Any, model: Any = None, name: str | None = "helper", **options: Any
) -> Agent[None, Any]:
    return Agent(model or TestModel(), name=name, capabilities=[capability], **options)


def answering(model_name: str = "fake-1", **fields: Any) -> FunctionModel:
    def answer(messages: Any, info: Any) -> ModelResponse:
        return ModelResponse(parts=[TextPart("hello")], **fields)

    return FunctionModel(answer, model_name=model_name)


async def test_a_run_is_an_execution_with_one_step(events: list[WorkflowEvent], capability: Any) -> None:
    result = await agent(capability).run("hi")
    assert told(events) == ONE_REQUEST
    assert {event.workflow_id for event in events} == {"helper"}
    [call] = of_type(events, EventType.AGENT_COMPLETED)
    assert call.data == {"model": "test", "provider": "test"}
    expected = TokenUsage(result.usage.input_tokens, result.usage.output_tokens)
    assert tokens(call) == tokens(events[-1]) == expected
    assert expected.input_tokens > 0


@pytest.mark.usefixtures("own_loop")
def test_a_synchronous_run_tells_the_same(events: list[WorkflowEvent], capability: Any) -> None:
    agent(capability).run_sync("hi")
    assert told(events) == ONE_REQUEST


async def test_cost_is_what_the_framework_knows_of_the_price(
    events: list[WorkflowEvent], capability: Any
) -> None:
    usage = RequestUsage(input_tokens=1_000_000, output_tokens=0)
    model = answering(model_name="gpt-4o", provider_name="openai", usage=usage)
    await agent(capability, model).run("hi")
    [call] = of_type(checked(events), EventType.AGENT_COMPLETED)
    assert call.data["provider"] == "openai"
    assert call.metrics is not None
    assert events[-1].metrics is not None
    assert call.metrics.cost_usd == events[-1].metrics.cost_usd > 0


async def test_a_streamed_run_tells_the_same_with_the_tokens_of_the_stream(
    events: list[WorkflowEvent], capability: Any
) -> None:
    async with agent(capability).run_stream("hi") as result:
        text = [piece async for piece in result.stream_text()]
    assert text
    assert told(events) == ONE_REQUEST
    assert tokens(events[-1]).output_tokens > 0


async def test_a_stream_or_an_iteration_that_is_abandoned_ends_as_cancelled(
    events: list[WorkflowEvent], capability: Any
) -> None:
    async with agent(capability).run_stream("hi") as result:
        async for _ in result.stream_text():
            break
    assert told(events)[-1] == "workflow.cancelled cancelled"
    events.clear()
    async with agent(capability).iter("hi") as run:
        async for _ in run:
            break
    assert told(events)[-2:] == ["step.failed helper cancelled", "workflow.cancelled cancelled"]


async def test_an_agent_that_a_tool_delegates_to_is_a_step_of_the_same_execution(
    events: list[WorkflowEvent], capability: Any
) -> None:
    expert, helper = agent(capability, name="expert"), agent(capability)

    @helper.tool_plain
    async def ask(question: str) -> str:
        return str((await expert.run(question)).output)

    await helper.run("hi")
    assert told(events) == [
        *ONE_REQUEST[:4], "step.started expert", "agent.invoked expert 1", "agent.completed expert 1",
        "agent.invoked helper 2", "agent.completed helper 2", "step.completed helper", "step.completed expert",
        "workflow.completed",
    ]  # fmt: skip
    [step, _] = of_type(events, EventType.STEP_COMPLETED)
    assert step.data["attributes"] == {"awf.tool.calls": 1, "awf.tool.errors": 0, "awf.tool.names": ["ask"]}


async def test_a_tool_that_asks_for_another_try_is_counted(
    events: list[WorkflowEvent], capability: Any
) -> None:
    helper, tries = agent(capability), []

    @helper.tool_plain
    async def search(query: str) -> str:
        tries.append(query)
        if len(tries) == 1:
            raise ModelRetry("again")
        return query

    await helper.run("hi")
    [step] = of_type(checked(events), EventType.STEP_COMPLETED)
    assert step.data["attributes"]["awf.tool.calls"] == 2
    assert step.data["attributes"]["awf.tool.errors"] == 1


@pytest.mark.parametrize(
    ("error", "error_type"),
    [(ValueError("boom"), "value_error"), (ModelHTTPError(429, "m", "slow down"), "rate_limit")],
)
async def test_a_broken_model_fails_agent_step_and_workflow(
    events: list[WorkflowEvent], capability: Any, error: Exception, error_type: str
) -> None:
    def fail(messages: Any, info: Any) -> ModelResponse:
        raise error

    with pytest.raises(type(error)):
        await agent(capability, FunctionModel(fail)).run("hi")
    assert told(events)[-3:] == [
        f"agent.failed helper 1 {error_type}", f"step.failed helper {error_type}", f"workflow.failed {error_type}",
    ]  # fmt: skip


async def test_a_cancelled_run_ends_as_cancelled(events: list[WorkflowEvent], capability: Any) -> None:
    started = asyncio.Event()

    async def slow(messages: Any, info: Any) -> ModelResponse:
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    task = asyncio.create_task(agent(capability, FunctionModel(slow)).run("hi"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told(events)[-3:] == [
        "agent.failed helper 1 cancelled", "step.failed helper cancelled", "workflow.cancelled cancelled",
    ]  # fmt: skip


async def test_runs_at_once_stay_apart(events: list[WorkflowEvent], capability: Any) -> None:
    helper = agent(capability)
    await asyncio.gather(*(helper.run("hi") for _ in range(10)))
    ids = {event.execution_id for event in checked(events)}
    assert len(ids) == 10
    for execution_id in ids:
        assert told([event for event in events if event.execution_id == execution_id]) == ONE_REQUEST


async def test_the_callers_trace_is_continued(events: list[WorkflowEvent], capability: Any) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        await agent(capability).run("hi")
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert {identity.of(event).trace_id for event in checked(events)} == {trace_id}


async def test_content_is_recorded_where_it_is_asked_for(events: list[WorkflowEvent]) -> None:
    capability = pydantic_ai_capability(events.append, workflow_id="mine", include_content=True)
    await agent(capability, answering(), name=None).run("what?")
    assert checked(events)[0].workflow_id == "mine"
    assert events[1].step_id == "agent"
    assert events[0].data["input"] == "what?"
    assert "what?" in of_type(events, EventType.AGENT_INVOKED)[0].data["input"]
    assert "hello" in of_type(events, EventType.AGENT_COMPLETED)[0].data["output"]
    assert events[-1].data["output"] == "hello"


async def test_without_being_asked_for_content_stays_out(
    events: list[WorkflowEvent], capability: Any
) -> None:
    await agent(capability, answering()).run("what?")
    assert not any({"input", "output"} & event.data.keys() for event in checked(events))


async def test_what_goes_wrong_in_recording_does_not_reach_the_run() -> None:
    def broken(event: WorkflowEvent) -> None:
        raise RuntimeError("no place left")

    assert (await agent(pydantic_ai_capability(broken)).run("hi")).output


@pytest.mark.usefixtures("own_loop")
def test_the_snippet_of_the_page_works() -> None:
    exporter = Exporter()
    exec(snippet("pydantic-ai"), {"exporter": exporter, "model": TestModel()})
    assert told(exporter.events) == ONE_REQUEST
