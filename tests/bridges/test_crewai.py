"""The bridge to CrewAI, with the real package and a model of our own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from crewai import Agent, BaseLLM, Crew, Task
from crewai.events import crewai_event_bus
from crewai.events.types.crew_events import CrewKickoffStartedEvent
from crewai.events.types.llm_events import LLMCallType
from crewai.flow.flow import Flow, listen, start
from crewai.llms.base_llm import llm_call_context
from crewai.tools import tool
from opentelemetry.sdk.trace import TracerProvider

from awf.core.types import TokenUsage
from awf.orchestration import identity
from awf.orchestration.bridges.crewai import crewai_listener
from awf.orchestration.events import EventType, WorkflowEvent
from tests.bridges._docs import Exporter, snippet
from tests.bridges._events import checked, of_type, tokens, told

# CrewAI uses fields of its own that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROLE = "{topic} writer"
ONE_TASK = [
    "workflow.started", f"step.started draft/{ROLE}", f"agent.invoked draft/{ROLE} 1",
    f"agent.completed draft/{ROLE} 1", f"step.completed draft/{ROLE}", "workflow.completed",
]  # fmt: skip


class FakeModel(BaseLLM):
    """Gives its answers in turn, the last again and again, and tells the bus of it as CrewAI's own models do."""

    answers: list[Any] = []  # noqa: RUF012 - a field of a pydantic model

    def call(
        self, messages: Any, *args: Any, from_task: Any = None, from_agent: Any = None, **kwargs: Any
    ) -> str:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        with llm_call_context():
            self._emit_call_started_event(messages=messages, from_task=from_task, from_agent=from_agent)
            if isinstance(answer, Exception):
                self._emit_call_failed_event(error=str(answer), from_task=from_task, from_agent=from_agent)
                raise answer
            self._emit_stream_chunk_event(chunk=str(answer), from_task=from_task, from_agent=from_agent)
            self._emit_call_completed_event(
                response=answer, call_type=LLMCallType.LLM_CALL, from_task=from_task, from_agent=from_agent,
                messages=messages, usage={"prompt_tokens": 7, "completion_tokens": 3},
            )  # fmt: skip
        return str(answer)


ANSWER = "Thought: I now can give a great answer\nFinal Answer: hello"


def agent(*answers: Any, **options: Any) -> Agent:
    model = FakeModel(model="fake/one", answers=list(answers) or [ANSWER])
    return Agent(role=ROLE, goal="write", backstory="none", llm=model, max_retry_limit=0, **options)


def crew(*answers: Any, name: str | None = "draft", **options: Any) -> Crew:
    writer = agent(*answers, **options)
    task = Task(name=name, description="write about {topic}", expected_output="text", agent=writer)
    return Crew(agents=[writer], tasks=[task], name="report")


@pytest.fixture
def events() -> Iterator[list[WorkflowEvent]]:
    found: list[WorkflowEvent] = []
    listener = crewai_listener(found.append)
    yield found
    listener.close()


def heard(events: list[WorkflowEvent]) -> list[WorkflowEvent]:
    """Return the events once the bus has called all its listeners."""
    assert crewai_event_bus.flush()
    return checked(events)


def test_a_kickoff_is_an_execution_and_a_task_a_step(events: list[WorkflowEvent]) -> None:
    crew().kickoff(inputs={"topic": "cats"})
    assert told(heard(events)) == ONE_TASK
    assert {event.workflow_id for event in events} == {"report"}
    [call] = of_type(events, EventType.AGENT_COMPLETED)
    assert call.data == {"model": "fake/one", "provider": "fake"}
    assert tokens(call) == tokens(events[-1]) == TokenUsage(7, 3)
    assert not any("cats" in str(event) for event in events)


def test_a_task_without_a_name_is_named_for_the_role_as_it_was_written(events: list[WorkflowEvent]) -> None:
    crew(name=None).kickoff(inputs={"topic": "cats"})
    assert {event.step_id for event in heard(events)} == {None, ROLE}


def test_each_of_several_kickoffs_is_an_execution(events: list[WorkflowEvent]) -> None:
    crew().kickoff_for_each(inputs=[{"topic": "cats"}, {"topic": "dogs"}])
    assert told(heard(events)) == ONE_TASK * 2


async def test_a_kickoff_in_asyncio_tells_the_same(events: list[WorkflowEvent]) -> None:
    await crew().akickoff(inputs={"topic": "cats"})
    assert told(heard(events))[-2:] == ONE_TASK[-2:]


def test_a_streamed_kickoff_tells_the_same(events: list[WorkflowEvent]) -> None:
    streamed = crew()
    streamed.stream = True
    assert [chunk.content for chunk in streamed.kickoff(inputs={"topic": "cats"})]
    assert told(heard(events)) == ONE_TASK


def test_a_broken_model_fails_agent_step_and_workflow(events: list[WorkflowEvent]) -> None:
    with pytest.raises(RuntimeError, match="slow down"):
        crew(RuntimeError("litellm.RateLimitError: slow down")).kickoff(inputs={"topic": "cats"})
    assert told(heard(events))[-3:] == [
        f"agent.failed draft/{ROLE} 1 rate_limit", f"step.failed draft/{ROLE} rate_limit",
        "workflow.failed rate_limit",
    ]  # fmt: skip
    assert "slow down" in events[-1].error


def test_tools_are_attributes_of_the_task(events: list[WorkflowEvent]) -> None:
    @tool("search")
    def search(query: str) -> str:
        """Search for something."""
        return query

    use = 'Thought: I should look\nAction: search\nAction Input: {"query": "cats"}'
    crew(use, ANSWER, tools=[search]).kickoff(inputs={"topic": "cats"})
    [step] = of_type(heard(events), EventType.STEP_COMPLETED)
    assert step.attempt == 2
    assert step.data["attributes"] == {
        "awf.tool.calls": 1,
        "awf.tool.errors": 0,
        "awf.tool.names": ["search"],
    }


def test_a_crew_in_a_flow_belongs_to_the_flows_execution(events: list[WorkflowEvent]) -> None:
    class Report(Flow):  # type: ignore[type-arg]
        @start()
        def research(self) -> str:
            return str(crew().kickoff(inputs={"topic": "cats"}).raw)

        @listen(research)
        def publish(self, text: str) -> str:
            return text

    Report().kickoff()
    steps = of_type(heard(events), EventType.STEP_COMPLETED)
    assert [event.step_id for event in steps] == ["research", "draft", "publish"]
    assert events[0].workflow_id == "Report"
    assert tokens(events[-1]) == TokenUsage(7, 3)


def test_a_flow_that_fails_is_a_failed_execution(events: list[WorkflowEvent]) -> None:
    class Broken(Flow):  # type: ignore[type-arg]
        @start()
        def research(self) -> str:
            raise LookupError("nothing there")

    with pytest.raises(LookupError):
        Broken().kickoff()
    assert told(heard(events)) == [
        "workflow.started", "step.started research", "step.failed research lookup_error",
        "workflow.failed lookup_error",
    ]  # fmt: skip


def test_an_agent_that_is_asked_without_a_crew_is_an_execution(events: list[WorkflowEvent]) -> None:
    agent().kickoff("hi")
    assert told(heard(events)) == [line.replace(f"draft/{ROLE}", ROLE) for line in ONE_TASK]
    assert events[0].workflow_id == ROLE


def test_kickoffs_at_once_stay_apart(events: list[WorkflowEvent]) -> None:
    threads = [threading.Thread(target=lambda: crew().kickoff(inputs={"topic": "cats"})) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {event.execution_id for event in heard(events)}
    assert len(ids) == 6
    for execution_id in ids:
        assert told([event for event in events if event.execution_id == execution_id]) == ONE_TASK


def test_the_callers_trace_is_continued(events: list[WorkflowEvent]) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        crew().kickoff(inputs={"topic": "cats"})
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert {identity.of(event).trace_id for event in heard(events)} == {trace_id}


def test_content_is_recorded_where_it_is_asked_for() -> None:
    found: list[WorkflowEvent] = []
    listener = crewai_listener(found.append, workflow_id="mine", include_content=True)
    crew().kickoff(inputs={"topic": "cats"})
    heard(found)
    listener.close()
    assert found[0].workflow_id == "mine"
    assert found[0].data["input"] == '{"topic": "cats"}'
    assert "write about cats" in of_type(found, EventType.AGENT_INVOKED)[0].data["input"]
    assert "hello" in of_type(found, EventType.AGENT_COMPLETED)[0].data["output"]
    assert found[-1].data["output"] == "hello"


def test_what_is_replayed_from_a_checkpoint_is_not_told_again(events: list[WorkflowEvent]) -> None:
    crewai_event_bus.replay(crew(), CrewKickoffStartedEvent(crew_name="report", inputs=None))
    assert heard(events) == []


def test_a_listener_that_is_closed_hears_nothing_more() -> None:
    found: list[WorkflowEvent] = []
    crewai_listener(found.append).close()
    crew().kickoff(inputs={"topic": "cats"})
    assert heard(found) == []


def test_the_snippet_of_the_page_works() -> None:
    exporter = Exporter()
    names: dict[str, Any] = {"exporter": exporter, "crew": crew()}
    exec(snippet("CrewAI"), names)
    heard(exporter.events)
    names["listener"].close()
    assert told(exporter.events) == ONE_TASK
