from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from awf.core.types import ExecutionId, StepId, WorkflowId
from awf.orchestration import AgentResult, EventType, StepContext, WorkflowEvent, identity

from ._parts import Bench, echo, make_registry, make_step, make_workflow

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(kind: EventType, step: str | None = None, **more: object) -> WorkflowEvent:
    step_id = StepId(step) if step is not None else None
    return WorkflowEvent(kind, WorkflowId("w"), ExecutionId("x"), step_id=step_id, **more)  # type: ignore[arg-type]


def test_spans_of_one_execution_hang_together_whoever_computes_them() -> None:
    workflow = identity.of(event(EventType.WORKFLOW_COMPLETED))
    step = identity.of(event(EventType.STEP_RETRYING, "s", attempt=1))
    agent = identity.of(event(EventType.AGENT_FAILED, "s", attempt=1))
    assert workflow == identity.workflow_span("x")
    assert (workflow.parent_id, step.parent_id, agent.parent_id) == ("", workflow.span_id, step.span_id)
    assert workflow.trace_id == step.trace_id == agent.trace_id
    assert identity.of(event(EventType.STEP_SKIPPED, "s")) == workflow


def test_runs_and_attempts_have_spans_of_their_own() -> None:
    spans = {
        identity.of(event(EventType.AGENT_INVOKED, step, attempt=attempt, run=run)).span_id
        for step in ("s", "s1") for attempt in (1, 11) for run in (1, 2, 11)
    }  # fmt: skip
    assert len(spans) == 12


def test_a_callers_trace_is_continued() -> None:
    workflow = identity.of(event(EventType.WORKFLOW_STARTED, traceparent=CALLER))
    assert (workflow.trace_id, workflow.parent_id) == (CALLER[3:35], CALLER[36:52])
    step = identity.of(event(EventType.STEP_STARTED, "s", traceparent=CALLER))
    assert (step.trace_id, step.parent_id) == (workflow.trace_id, workflow.span_id)


def test_a_traceparent_that_says_nothing_is_ignored() -> None:
    for text in (
        "",
        "00",
        CALLER.upper(),
        CALLER.replace("00-", "ff-"),
        "00-" + "0" * 32 + CALLER[35:],
        CALLER + "\n",
    ):
        assert identity.parse_traceparent(text) is None, text
    assert identity.parse_traceparent(CALLER.replace("00-", "cc-") + "-more") is not None


@given(st.text(), st.integers(1, 9), st.text(min_size=1))
def test_ids_are_never_zero_and_any_text_has_one(execution: str, run: int, step: str) -> None:
    found = identity.of(
        WorkflowEvent(
            EventType.STEP_STARTED, WorkflowId("w"), ExecutionId(execution), step_id=StepId(step), run=run
        )
    )
    assert identity.parse_traceparent(found.traceparent) == (*found[:2], "")


async def test_spans_made_around_and_inside_a_workflow_are_one_trace() -> None:
    tracer, seen = TracerProvider().get_tracer("user"), []

    async def call_model(context: StepContext) -> AgentResult:
        with tracer.start_as_current_span("chat") as span:
            seen.append((context, span))
        return AgentResult()

    async with Bench(make_registry({"a": call_model}, make_workflow("w", make_step("s")))) as bench:
        with tracer.start_as_current_span("request") as request:
            execution_id = await bench.engine.submit("w", {})
        await bench.engine.wait(execution_id)
    (started,), (invoked,) = bench.of(EventType.WORKFLOW_STARTED), bench.of(EventType.AGENT_INVOKED)
    assert identity.of(started).parent_id == f"{request.get_span_context().span_id:016x}"
    ((context, chat),) = seen
    assert context.traceparent == identity.of(invoked).traceparent
    assert f"{chat.parent.span_id:016x}" == identity.of(invoked).span_id
    assert chat.context.trace_id == request.get_span_context().trace_id
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_a_retried_step_is_a_run_of_its_own_that_links_to_the_one_before() -> None:
    fails = [True]

    async def first_fails(context: StepContext) -> AgentResult:
        if fails.pop() if fails else False:
            raise RuntimeError("once")
        return await echo(context)

    async with Bench(make_registry({"a": first_fails}, make_workflow("w", make_step("s")))) as bench:
        execution_id = await bench.engine.submit("w", {})
        await bench.engine.wait(execution_id)
        await bench.engine.retry_step(execution_id, "s")
        await bench.engine.wait(execution_id)
    first, second = bench.of(EventType.WORKFLOW_STARTED)
    assert second.data["links"] == [identity.of(first).traceparent]
    assert {e.run for e in bench.events if e.time_ns > second.time_ns} == {2}
    assert identity.of(first).trace_id == identity.of(second).trace_id
