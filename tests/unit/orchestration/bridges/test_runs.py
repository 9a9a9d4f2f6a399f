"""Open runs of a framework: what becomes of their starts and ends, in whatever order and number they come."""

from __future__ import annotations

import logging
import threading

import pytest

from awf.core.types import TokenUsage
from awf.orchestration import identity
from awf.orchestration.bridges._failures import Failure
from awf.orchestration.bridges._runs import MAX_STEPS, OpenRuns
from awf.orchestration.events import EventType, WorkflowEvent
from tests.bridges._events import checked, of_type, told

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BOOM = Failure("value_error", "boom")


@pytest.fixture
def events() -> list[WorkflowEvent]:
    return []


@pytest.fixture
def runs(events: list[WorkflowEvent]) -> OpenRuns:
    return OpenRuns(events.append, "test")


def visit(
    runs: OpenRuns, key: str, step_id: str = "draft", failure: Failure | None = None, at: int = 0
) -> None:
    runs.visit(key, "w", step_id, at=at)
    runs.end(key, failure, at=at and at + 1)


def test_a_step_of_many_visits_is_one_span_with_the_time_of_all(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    second = 10**9
    at = 1_700_000_000 * second
    runs.begin("w", "report", at=at)
    for start in (1, 4):
        runs.visit("v", "w", "draft", at=at + start * second)
        runs.call("c", "v", step_id="m", model="small", at=at + start * second)
        runs.end("c", usage=TokenUsage(10, 5), cost_usd=0.5, at=at + (start + 1) * second)
        runs.end("v", at=at + (start + 2) * second)
    runs.end("w", at=at + 9 * second)
    assert told(events) == [
        "workflow.started", "step.started draft", "agent.invoked draft 1", "agent.completed draft 1",
        "agent.invoked draft 2", "agent.completed draft 2", "step.completed draft", "workflow.completed",
    ]  # fmt: skip
    step, workflow = events[-2:]
    assert step.time_ns == at + 6 * second
    assert step.metrics is not None
    assert workflow.metrics is not None
    assert step.metrics.execution_time_ms == 4_000
    assert workflow.metrics.execution_time_ms == 9_000
    assert step.metrics.token_usage == workflow.metrics.token_usage == TokenUsage(20, 10)
    assert step.metrics.cost_usd == workflow.metrics.cost_usd == 1.0


def test_visits_at_the_same_time_are_counted_once(runs: OpenRuns, events: list[WorkflowEvent]) -> None:
    at = 1_700_000_000 * 10**9
    runs.begin("w", "report", at=at)
    runs.visit("a", "w", "draft", at=at)
    runs.visit("b", "w", "draft", at=at + 1_000_000)
    runs.end("a", at=at + 2_000_000)
    runs.end("b", at=at + 3_000_000)
    runs.end("w", at=at + 4_000_000)
    [step] = of_type(checked(events), EventType.STEP_COMPLETED)
    assert step.metrics is not None
    assert step.metrics.execution_time_ms == 3


def test_a_visit_after_a_failed_one_is_a_retry_and_its_success_is_the_steps(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    at = 1_700_000_000 * 10**9
    runs.begin("w", "report", at=at)
    visit(runs, "a", failure=BOOM, at=at)
    visit(runs, "b", at=at + 2 * 10**9)
    runs.end("w", at=at + 3 * 10**9)
    assert told(events)[1:4] == [
        "step.started draft",
        "step.retrying draft value_error",
        "step.completed draft",
    ]
    assert events[2].data == {"delay_s": 2.0}
    assert events[3].metrics is not None
    assert events[3].metrics.retry_count == 1


def test_a_success_beside_a_failure_does_not_hide_it(runs: OpenRuns, events: list[WorkflowEvent]) -> None:
    at = 1_700_000_000 * 10**9
    runs.begin("w", "report", at=at)
    runs.visit("a", "w", "draft", at=at)
    runs.visit("b", "w", "draft", at=at)
    runs.end("a", BOOM, at=at + 1)
    runs.end("b", at=at + 2)
    runs.end("w", BOOM, at=at + 3)
    assert told(events)[-2:] == ["step.failed draft value_error", "workflow.failed value_error"]


def test_what_is_open_when_an_execution_ends_is_ended_with_it(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    runs.begin("w", "report")
    runs.visit("v", "w", "draft")
    runs.call("c", "v", step_id="m")
    runs.end("w", BOOM)
    assert told(events)[-3:] == [
        "agent.failed draft 1 value_error", "step.failed draft value_error", "workflow.failed value_error",
    ]  # fmt: skip
    runs.end("c")
    runs.end("v")
    runs.call("late", "v", step_id="m")
    assert len(events) == 6


def test_a_start_that_is_told_twice_counts_once(runs: OpenRuns, events: list[WorkflowEvent]) -> None:
    runs.begin("w", "report")
    for _ in range(2):
        runs.visit("v", "w", "draft")
        runs.call("c", "v", step_id="m")
    for key in ("c", "c", "v", "v", "w", "w"):
        runs.end(key, usage=TokenUsage(1, 1))
    assert len(checked(events)) == 6


def test_a_step_inside_a_step_is_a_part_of_it_unless_it_is_nested(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    runs.begin("w", "report")
    runs.visit("outer", "w", "team")
    runs.visit("inner", "outer", "model", agent_id="writer")
    runs.call("c", "inner", step_id="m")
    runs.visit("nested", "inner", "helper", is_nested=True)
    runs.call("d", "nested", step_id="m")
    runs.give_up_all("over")
    assert [word for word in told(events) if "invoked" in word or "started" in word][1:] == [
        "step.started team", "agent.invoked team/writer 1", "step.started helper", "agent.invoked helper 1",
    ]  # fmt: skip


def test_the_tools_of_a_step_are_named_at_its_end(runs: OpenRuns, events: list[WorkflowEvent]) -> None:
    runs.begin("w", "report")
    runs.visit("v", "w", "draft")
    for key, name, failure in (("a", "search", None), ("b", "search", BOOM), ("c", "add", None)):
        runs.tool(key, "v", name)
        runs.end(key, failure)
    runs.end("v")
    runs.end("w")
    [step] = of_type(checked(events), EventType.STEP_COMPLETED)
    assert step.data == {
        "attributes": {"awf.tool.calls": 3, "awf.tool.errors": 1, "awf.tool.names": ["add", "search"]}
    }


def test_the_oldest_execution_is_given_up_when_too_much_is_open(
    events: list[WorkflowEvent], caplog: pytest.LogCaptureFixture
) -> None:
    runs = OpenRuns(events.append, "test", max_open=4)
    for number in range(3):
        runs.begin(number, "report")
        runs.visit(f"v{number}", number, "draft")
    with caplog.at_level(logging.WARNING):
        runs.begin("last", "report")
    runs.give_up_all("over")
    cancelled = of_type(checked(events), EventType.WORKFLOW_CANCELLED)
    assert [event.error for event in cancelled] == ["given up: 4 runs are open"] * 2 + ["over"] * 2
    assert [record.given_up for record in caplog.records] == [1]  # type: ignore[attr-defined]


def test_an_execution_that_alone_holds_too_much_is_given_up_in_good_order(
    events: list[WorkflowEvent],
) -> None:
    runs = OpenRuns(events.append, "test", max_open=3)
    runs.begin("w", "report")
    runs.visit("v", "w", "draft")
    for number in range(5):
        runs.call(number, "v", step_id="m")
    assert told(events)[-1] == "workflow.cancelled cancelled"
    assert not runs.is_open("v")


def test_an_execution_id_that_comes_again_makes_other_spans(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    for _ in range(2):
        runs.begin("w", "report", execution_id="the-same")
        visit(runs, "v")
        runs.end("w")
    assert [event.run for event in of_type(checked(events), EventType.WORKFLOW_STARTED)] == [1, 2]


def test_a_run_that_begins_again_before_it_ended_is_cancelled(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    runs.begin("w", "report")
    runs.begin("w", "report")
    runs.end("w")
    assert told(events) == [
        "workflow.started", "workflow.cancelled cancelled", "workflow.started", "workflow.completed",
    ]  # fmt: skip


def test_all_events_of_an_execution_continue_the_callers_trace(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    runs.begin("w", "report", traceparent=CALLER)
    visit(runs, "v")
    runs.end("w")
    assert {event.traceparent for event in events} == {CALLER}
    assert {identity.of(event).trace_id for event in checked(events)} == {"0af7651916cd43dd8448eb211c80319c"}


def test_the_trace_that_is_active_where_an_execution_begins_is_continued(
    runs: OpenRuns, events: list[WorkflowEvent]
) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        runs.begin("w", "report")
    runs.end("w")
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert {identity.of(event).trace_id for event in checked(events)} == {trace_id}


def test_names_do_not_multiply_without_end(runs: OpenRuns, events: list[WorkflowEvent]) -> None:
    runs.begin("w", "report")
    for number in range(MAX_STEPS + 50):
        visit(runs, "v", f"step {number}")
    runs.end("w")
    steps = {event.step_id for event in checked(events)} - {None}
    assert len(steps) == MAX_STEPS + 1
    assert "other" in steps


@pytest.mark.parametrize("include", [False, True])
def test_content_is_in_the_events_only_if_asked_for(events: list[WorkflowEvent], include: bool) -> None:
    runs = OpenRuns(events.append, "test", include_content=include)
    runs.begin("w", "report", content={"question": "who?"})
    runs.call("c", "w", step_id="m", content=lambda: ["hello"])
    runs.end("c", content="world")
    runs.end("w", content=lambda: 1 / 0)
    found = {(event.type.value, name): event.data[name] for event in checked(events) for name in ("input", "output") if name in event.data}  # fmt: skip
    expected = {
        ("workflow.started", "input"): '{"question": "who?"}',
        ("agent.invoked", "input"): '["hello"]',
        ("agent.completed", "output"): "world",
    }
    assert found == (expected if include else {})


def test_executions_in_many_threads_stay_apart(runs: OpenRuns, events: list[WorkflowEvent]) -> None:
    def work(number: int) -> None:
        for turn in range(20):
            key = (number, turn)
            runs.begin(key, "report")
            runs.visit((key, "v"), key, "draft")
            runs.call((key, "c"), (key, "v"), step_id="m")
            runs.end((key, "c"), usage=TokenUsage(number, turn))
            runs.end((key, "v"))
            runs.end(key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(checked(events)) == 8 * 20 * 6
    usages = {event.metrics.token_usage for event in of_type(events, EventType.WORKFLOW_COMPLETED) if event.metrics}  # fmt: skip
    assert len(usages) == 8 * 20
