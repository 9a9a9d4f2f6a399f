"""GenAI spans as a real framework makes them: pydantic-ai's own instrumentation, and nothing of ours in it."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel

from awf.core.types import TokenUsage
from awf.orchestration.bridges.genai_spans import genai_span_processor
from awf.orchestration.events import EventType, WorkflowEvent
from tests.bridges._events import checked, of_type, tokens, told


@pytest.fixture
def events() -> list[WorkflowEvent]:
    return []


@pytest.fixture
def instrumentation(events: list[WorkflowEvent]) -> Instrumentation:
    provider = TracerProvider()
    provider.add_span_processor(genai_span_processor(events.append))
    return Instrumentation(InstrumentationSettings(tracer_provider=provider))


async def test_delegating_agents_are_steps_with_their_tokens_and_tools(
    events: list[WorkflowEvent], instrumentation: Instrumentation
) -> None:
    expert = Agent(TestModel(), name="expert", capabilities=[instrumentation])
    helper = Agent(TestModel(), name="helper", capabilities=[instrumentation])

    @helper.tool_plain
    async def ask(question: str) -> str:
        return str((await expert.run(question)).output)

    result = await helper.run("hi")
    assert told(events) == [
        "workflow.started", "step.started helper", "agent.invoked helper 1", "agent.completed helper 1",
        "step.started expert", "agent.invoked expert 1", "agent.completed expert 1",
        "agent.invoked helper 2", "agent.completed helper 2", "step.completed helper", "step.completed expert",
        "workflow.completed",
    ]  # fmt: skip
    assert {event.workflow_id for event in events} == {"helper"}
    assert {event.framework for event in events} == {"pydantic-ai"}
    step = of_type(events, EventType.STEP_COMPLETED)[0]
    assert step.data["attributes"]["awf.tool.names"] == ["ask"]
    assert tokens(step) == TokenUsage(result.usage.input_tokens, result.usage.output_tokens)


async def test_an_error_of_the_model_fails_agent_step_and_workflow(
    events: list[WorkflowEvent], instrumentation: Instrumentation
) -> None:
    def fail(messages: object, info: object) -> ModelResponse:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        await Agent(FunctionModel(fail), name="helper", capabilities=[instrumentation]).run("hi")
    assert told(checked(events))[-3:] == [
        "agent.failed helper 1 value_error", "step.failed helper value_error", "workflow.failed value_error",
    ]  # fmt: skip
