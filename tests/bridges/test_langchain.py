"""The bridge to LangChain and LangGraph, with the real packages and the chat model they ship for tests."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from opentelemetry.sdk.trace import TracerProvider

from awf.core.types import TokenUsage
from awf.orchestration import identity
from awf.orchestration.bridges.langchain import langchain_handler
from awf.orchestration.events import EventType, WorkflowEvent
from tests.bridges._docs import Exporter, snippet
from tests.bridges._events import checked, of_type, tokens, told


class State(TypedDict, total=False):
    turns: int
    text: str
    found: Annotated[list[str], operator.add]


class FakeModel(GenericFakeChatModel):
    """Says each word with its own chunk, and the usage with the last, as providers do."""

    model_name: str = "fake-1"

    def _stream(
        self, messages: Sequence[BaseMessage], *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for word in ("hello", " ", "world"):
            yield ChatGenerationChunk(message=AIMessageChunk(word))
        usage = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=usage))


class BrokenModel(GenericFakeChatModel):
    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("the model is broken")


def model(*answers: str) -> FakeModel:
    usage = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
    return FakeModel(messages=iter([AIMessage(answer, usage_metadata=usage) for answer in answers * 20]))


def loop(chat: Any, *, turns: int = 2) -> Any:
    """A graph that drafts and checks until it has done so `turns` times."""

    def draft(state: State) -> State:
        return {"turns": state.get("turns", 0) + 1, "text": str(chat.invoke("write").content)}

    graph = StateGraph(State)
    graph.add_node("draft", draft)
    graph.add_node("check", lambda state: {"text": state["text"].upper()})
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "check")
    graph.add_conditional_edges(
        "check", lambda state: "draft" if state["turns"] < turns else END, ["draft", END]
    )
    return graph.compile(name="report")


def one_node(node: Callable[..., Any], **options: Any) -> Any:
    graph = StateGraph(State)
    graph.add_node("work", node, **options)
    graph.add_edge(START, "work")
    return graph


@pytest.fixture
def events() -> list[WorkflowEvent]:
    return []


@pytest.fixture
def config(events: list[WorkflowEvent]) -> dict[str, Any]:
    return {"callbacks": [langchain_handler(events.append)]}


LOOP = [
    "workflow.started", "step.started draft", "agent.invoked draft 1", "agent.completed draft 1",
    "step.started check", "agent.invoked draft 2", "agent.completed draft 2", "step.completed draft",
    "step.completed check", "workflow.completed",
]  # fmt: skip


def test_a_graph_with_a_loop_is_one_step_for_each_node(events: list[WorkflowEvent], config: Any) -> None:
    loop(model("a b")).invoke({}, config=config)
    assert told(events) == LOOP
    assert {event.workflow_id for event in events} == {"report"}
    assert {event.framework for event in events} == {"langchain"}
    [first, _] = of_type(events, EventType.AGENT_COMPLETED)
    assert first.data == {"model": "fake-1", "provider": "fakemodel"}
    assert tokens(first) == TokenUsage(10, 2)
    assert tokens(events[-1]) == tokens(of_type(events, EventType.STEP_COMPLETED)[0]) == TokenUsage(20, 4)
    assert not any({"input", "output"} & event.data.keys() for event in events)


async def test_a_graph_run_in_asyncio_tells_the_same(events: list[WorkflowEvent], config: Any) -> None:
    await loop(model("a b")).ainvoke({}, config=config)
    assert told(events) == LOOP


async def test_callbacks_run_where_the_graph_runs_and_not_in_a_pool_of_threads() -> None:
    threads = set()
    handler = langchain_handler(lambda event: threads.add(threading.get_ident()))

    async def work(state: State) -> State:
        return {"text": str((await model("a").ainvoke("hi")).content)}

    await one_node(work).compile().ainvoke({}, config={"callbacks": [handler]})
    assert threads == {threading.get_ident()}


def test_a_streamed_graph_tells_the_same_with_the_tokens_of_the_stream(
    events: list[WorkflowEvent], config: Any
) -> None:
    list(loop(model("a b")).stream({}, config=config, stream_mode="messages"))
    assert told(events) == LOOP
    assert tokens(events[-1]) == TokenUsage(24, 6)


def test_a_stream_that_is_abandoned_ends_as_cancelled(events: list[WorkflowEvent], config: Any) -> None:
    stream = loop(model("a b")).stream({}, config=config)
    next(stream)
    stream.close()
    assert told(events)[-2:] == ["step.completed draft", "workflow.cancelled cancelled"]


def test_a_chain_is_a_workflow_without_steps_for_prompt_and_parser(
    events: list[WorkflowEvent], config: Any
) -> None:
    chain = ChatPromptTemplate.from_template("about {topic}") | model("a b") | StrOutputParser()
    chain.invoke({"topic": "cats"}, config={**config, "run_name": "ask"})
    assert told(events) == [
        "workflow.started", "step.started FakeModel", "agent.invoked FakeModel 1",
        "agent.completed FakeModel 1", "step.completed FakeModel", "workflow.completed",
    ]  # fmt: skip
    assert events[0].workflow_id == "ask"


def test_a_streamed_chain_has_the_tokens_of_the_stream_and_may_be_abandoned(
    events: list[WorkflowEvent], config: Any
) -> None:
    chain = model("a b") | StrOutputParser()
    assert "".join(chain.stream("hi", config=config)) == "hello world"
    assert tokens(checked(events)[-1]) == TokenUsage(12, 3)
    events.clear()
    stream = chain.stream("hi", config=config)
    next(stream)
    stream.close()
    assert "agent.failed FakeModel 1 cancelled" in told(events)


def test_each_run_of_a_batch_is_an_execution(events: list[WorkflowEvent], config: Any) -> None:
    chain = model("a b") | StrOutputParser()
    chain.batch(["one", "two", "three"], config=config)
    assert len(of_type(checked(events), EventType.WORKFLOW_COMPLETED)) == 3


def test_a_model_called_by_itself_is_an_execution(events: list[WorkflowEvent], config: Any) -> None:
    model("a").invoke("hi", config=config)
    assert told(events)[0] == "workflow.started"
    assert events[0].workflow_id == "FakeModel"
    assert events[-1].type is EventType.WORKFLOW_COMPLETED


def test_a_broken_model_fails_agent_step_and_workflow(events: list[WorkflowEvent], config: Any) -> None:
    with pytest.raises(ValueError, match="broken"):
        loop(BrokenModel(messages=iter([]))).invoke({}, config=config)
    assert told(events)[-3:] == [
        "agent.failed draft 1 value_error", "step.failed draft value_error", "workflow.failed value_error",
    ]  # fmt: skip
    assert events[-1].error == "the model is broken"


def test_a_node_that_is_retried_tells_of_it(events: list[WorkflowEvent], config: Any) -> None:
    tries = []

    def flaky(state: State) -> State:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("no route")
        return {"text": "done"}

    policy = RetryPolicy(initial_interval=0.01, jitter=False)
    one_node(flaky, retry_policy=policy).compile().invoke({}, config=config)
    assert told(events) == [
        "workflow.started", "step.started work", "step.retrying work connection_error", "step.completed work",
        "workflow.completed",
    ]  # fmt: skip


def test_the_limit_of_steps_fails_the_workflow_only(events: list[WorkflowEvent], config: Any) -> None:
    with pytest.raises(GraphRecursionError):
        loop(model("a"), turns=99).invoke({}, config={**config, "recursion_limit": 4})
    assert told(events)[-3:] == [
        "step.completed draft", "step.completed check", "workflow.failed graph_recursion_error",
    ]  # fmt: skip


def test_a_question_to_a_person_is_no_failure(events: list[WorkflowEvent], config: Any) -> None:
    app = one_node(lambda state: {"text": interrupt("may I?")}).compile(checkpointer=InMemorySaver())
    config["configurable"] = {"thread_id": "1"}
    app.invoke({"turns": 0}, config=config)
    app.invoke(Command(resume="yes"), config=config)
    assert (
        told(events)
        == ["workflow.started", "step.started work", "step.completed work", "workflow.completed"] * 2
    )


def test_nodes_sent_out_at_once_are_attempts_of_one_step(events: list[WorkflowEvent], config: Any) -> None:
    chat = model("a")

    def find(state: State) -> State:
        return {"found": [str(chat.invoke(state["text"]).content)]}

    graph = StateGraph(State)
    graph.add_node("find", find)
    graph.add_conditional_edges(START, lambda _: [Send("find", {"text": str(n)}) for n in range(8)], ["find"])
    graph.compile().invoke({}, config=config)
    invoked = of_type(checked(events), EventType.AGENT_INVOKED)
    assert [event.attempt for event in invoked] == list(range(1, 9))
    assert len(of_type(events, EventType.STEP_STARTED)) == 1


def test_tasks_of_the_functional_api_are_steps(events: list[WorkflowEvent], config: Any) -> None:
    chat = model("a")

    @task
    def find(question: str) -> str:
        return str(chat.invoke(question).content)

    @task
    def join(found: list[str]) -> str:
        return "".join(found)

    @entrypoint()
    def research(question: str) -> str:
        return join([find(question).result() for _ in range(3)]).result()

    assert research.invoke("hi", config=config) == "aaa"
    assert [event.step_id for event in of_type(checked(events), EventType.STEP_STARTED)] == [
        "research",
        "find",
        "join",
    ]
    assert {event.step_id for event in of_type(events, EventType.AGENT_INVOKED)} == {"find"}

    events.clear()
    one_node(lambda state: {"text": research.invoke("hi")}).compile().invoke({}, config=config)
    assert {event.step_id for event in checked(events)} == {None, "work"}


def test_a_graph_inside_a_node_belongs_to_that_node(events: list[WorkflowEvent], config: Any) -> None:
    graph = StateGraph(State)
    graph.add_node("team", loop(model("a b")))
    graph.add_edge(START, "team")
    graph.compile(name="outer").invoke({}, config=config)
    assert {event.step_id for event in checked(events)} == {None, "team"}
    assert [event.attempt for event in of_type(events, EventType.AGENT_INVOKED)] == [1, 2]


def test_an_agent_with_a_name_of_its_own_makes_the_calls(events: list[WorkflowEvent], config: Any) -> None:
    # What langchain's `create_agent(name=...)` leaves in the metadata of all that runs in it.
    loop(model("a")).with_config(metadata={"lc_agent_name": "writer"}).invoke({}, config=config)
    assert {event.agent_id for event in of_type(checked(events), EventType.AGENT_COMPLETED)} == {"writer"}
    assert {event.step_id for event in events} == {None, "draft", "check"}


def test_tools_are_attributes_of_the_step_they_are_called_in(
    events: list[WorkflowEvent], config: Any
) -> None:
    @tool
    def search(query: str) -> str:
        """Search."""
        if query == "bad":
            raise LookupError(query)
        return query

    def work(state: State) -> State:
        search.invoke({"query": "good"})
        with pytest.raises(LookupError):
            search.invoke({"query": "bad"})
        return {"text": "x"}

    one_node(work).compile().invoke({}, config=config)
    [step] = of_type(checked(events), EventType.STEP_COMPLETED)
    assert step.data["attributes"] == {
        "awf.tool.calls": 2,
        "awf.tool.errors": 1,
        "awf.tool.names": ["search"],
    }


async def test_a_cancelled_graph_ends_as_cancelled(events: list[WorkflowEvent], config: Any) -> None:
    started = asyncio.Event()

    async def slow(state: State) -> State:
        started.set()
        await asyncio.sleep(60)
        return {}

    task = asyncio.create_task(one_node(slow).compile().ainvoke({}, config=config))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told(events)[-2:] == ["step.failed work cancelled", "workflow.cancelled cancelled"]


async def test_runs_at_once_stay_apart(events: list[WorkflowEvent], config: Any) -> None:
    app = loop(model("a b"))
    await asyncio.gather(*(app.ainvoke({}, config=config) for _ in range(5)))
    threads = [threading.Thread(target=lambda: app.invoke({}, config=config)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {event.execution_id for event in checked(events)}
    assert len(ids) == 10
    for execution_id in ids:
        assert told([event for event in events if event.execution_id == execution_id]) == LOOP


def test_the_callers_trace_is_continued(events: list[WorkflowEvent], config: Any) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        loop(model("a b")).invoke({}, config=config)
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert {identity.of(event).trace_id for event in checked(events)} == {trace_id}


def test_content_is_recorded_where_it_is_asked_for(events: list[WorkflowEvent]) -> None:
    handler = langchain_handler(events.append, workflow_id="mine", include_content=True)
    loop(model("a b"), turns=1).invoke({"text": "start"}, config={"callbacks": [handler]})
    assert told(events) == [line for line in LOOP if not line.endswith(" 2")]
    assert events[0].workflow_id == "mine"
    assert events[0].data["input"] == '{"text": "start"}'
    assert "write" in of_type(events, EventType.AGENT_INVOKED)[0].data["input"]
    assert of_type(events, EventType.AGENT_COMPLETED)[0].data["output"] == '["a b"]'
    assert "A B" in events[-1].data["output"]


def test_what_goes_wrong_in_recording_does_not_reach_the_graph() -> None:
    def broken(event: WorkflowEvent) -> None:
        raise RuntimeError("no place left")

    result = loop(model("a b")).invoke({}, config={"callbacks": [langchain_handler(broken)]})
    assert result["text"] == "A B"


def test_the_snippet_of_the_page_works() -> None:
    exporter = Exporter()
    exec(snippet("LangChain and LangGraph"), {"exporter": exporter, "graph": loop(model("a b"))})
    assert told(exporter.events) == LOOP
