from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from awf.core.types import ControlKind, ExecutionId, ExecutionStatus, TaskMetrics, TokenUsage
from awf.errors import Conflict, NotFound, Overloaded, Unavailable
from awf.orchestration import (
    AgentError,
    AgentResult,
    Controls,
    Engine,
    EventEmitter,
    EventType,
    StepContext,
    identity,
)

from ._parts import AgentFunction, Bench, echo, hang, make_registry, make_step, make_workflow

E = EventType


def failing(times: int, error: AgentError | None = None) -> AgentFunction:
    """An agent that fails so many times, then works."""
    left: Iterator[int] = iter(range(times))

    async def run(context: StepContext) -> AgentResult:
        if next(left, None) is not None:
            raise error or AgentError("provider returned 500", error_type="upstream_error")
        return AgentResult("done", TaskMetrics(5.0, TokenUsage(10, 20), 0.5), "m1", "p1")

    return run


async def test_steps_run_as_the_graph_allows_and_outputs_flow() -> None:
    both = asyncio.Barrier(2)

    async def meet(context: StepContext) -> AgentResult:
        async with asyncio.timeout(5):
            await both.wait()  # only passes when the two steps run at the same time
        return AgentResult(context.step_id)

    workflow = make_workflow(
        "w", make_step("join", "echo", "left", "right"), make_step("left", "meet", "first"),
        make_step("right", "meet", "first"), make_step("first", "echo"),
    )  # fmt: skip
    async with Bench(make_registry({"echo": echo, "meet": meet}, workflow)) as bench:
        record = await bench.engine.wait(await bench.engine.submit("w", {"q": 1}))
        assert record.status is ExecutionStatus.COMPLETED
        assert record.output == {"join": {"by": "echo", "from": {"left": "left", "right": "right"}}}
        await bench.settle()
    first, last = bench.events[0], bench.events[-1]
    assert (first.type, first.data["input"]) == (E.WORKFLOW_STARTED, {"q": 1})
    assert (last.type, last.data["output"]) == (E.WORKFLOW_COMPLETED, record.output)
    assert bench.kinds("first") == [E.STEP_STARTED, E.AGENT_INVOKED, E.AGENT_COMPLETED, E.STEP_COMPLETED]


async def test_retries_back_off_and_totals_add_up() -> None:
    workflow = make_workflow("w", make_step("s", "a", retries=3))
    async with Bench(make_registry({"a": failing(2)}, workflow)) as bench:
        await bench.engine.wait(await bench.engine.submit("w", {}))
    assert bench.clock.sleeps == [1.0, 2.0]
    assert [e.data["delay_s"] for e in bench.of(E.STEP_RETRYING)] == [1.0, 2.0]
    (done,) = bench.of(E.STEP_COMPLETED)
    assert done.attempt == 3
    assert done.metrics is not None
    assert done.metrics.retry_count == 2
    assert (done.metrics.token_usage.total, done.metrics.cost_usd) == (30, 0.5)
    (agent,) = bench.of(E.AGENT_COMPLETED)
    assert agent.metrics == TaskMetrics(5.0, TokenUsage(10, 20), 0.5)
    assert agent.data == {"model": "m1", "provider": "p1"}
    failed = bench.of(E.AGENT_FAILED)
    assert [(e.attempt, e.error_type, e.error) for e in failed] == [
        (1, "upstream_error", "provider returned 500"), (2, "upstream_error", "provider returned 500"),
    ]  # fmt: skip


async def test_the_fallback_agent_takes_over_when_retries_are_used_up() -> None:
    workflow = make_workflow("w", make_step("s", "a", retries=1, fallback="b"))
    async with Bench(make_registry({"a": failing(99), "b": failing(1)}, workflow)) as bench:
        record = await bench.engine.wait(await bench.engine.submit("w", {}))
    assert record.output == {"s": "done"}
    (fallback,) = bench.of(E.STEP_FALLBACK)
    assert fallback.agent_id == "b"
    assert fallback.data == {"fallback_of": "a", "reason": "retries_exhausted"}
    assert [(e.agent_id, e.attempt) for e in bench.of(E.AGENT_INVOKED)] == [
        ("a", 1), ("a", 2), ("b", 3), ("b", 4),
    ]  # fmt: skip
    assert bench.of(E.STEP_COMPLETED)[0].agent_id == "b"


async def test_an_error_that_is_not_retryable_goes_straight_to_the_fallback() -> None:
    error = AgentError("no such model", error_type="config", retryable=False)
    workflow = make_workflow("w", make_step("s", "a", retries=5, fallback="b"))
    async with Bench(make_registry({"a": failing(99, error), "b": echo}, workflow)) as bench:
        await bench.engine.wait(await bench.engine.submit("w", {}))
    assert bench.clock.sleeps == []
    assert [e.agent_id for e in bench.of(E.AGENT_INVOKED)] == ["a", "b"]


async def test_a_hanging_agent_is_stopped_at_its_timeout() -> None:
    workflow = make_workflow("w", make_step("s", "a", timeout_s=0.01))
    async with Bench(make_registry({"a": hang}, workflow)) as bench:
        record = await bench.engine.wait(await bench.engine.submit("w", {}))
    assert record.error == "step s failed: no answer within 0.01 s"
    assert bench.of(E.STEP_FAILED)[0].error_type == "timeout"
    assert bench.of(E.WORKFLOW_FAILED)[0].error_type == "timeout"


async def raise_timeout(context: StepContext) -> AgentResult:
    raise TimeoutError("its own")


async def cancel_itself(context: StepContext) -> AgentResult:
    raise asyncio.CancelledError


async def return_text(context: StepContext) -> AgentResult:
    return "text"  # type: ignore[return-value]


async def break_down(context: StepContext) -> AgentResult:
    raise ZeroDivisionError("division by zero" + "x" * 10_000)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (raise_timeout, "TimeoutError: its own"),
        (cancel_itself, "cancelled itself"),
        (return_text, "returned str, expected AgentResult"),
        (break_down, "ZeroDivisionError: division by zero"),
    ],
)
async def test_whatever_an_agent_does_is_an_agent_error(agent: AgentFunction, words: str) -> None:
    async with Bench(make_registry({"a": agent}, make_workflow("w", make_step("s")))) as bench:
        record = await bench.engine.wait(await bench.engine.submit("w", {}))
    assert words in str(record.error)
    assert len(str(record.error)) < 600
    assert bench.of(E.STEP_FAILED)[0].error_type == "agent_error"


async def test_a_failed_step_skips_its_dependants_only() -> None:
    workflow = make_workflow(
        "w", make_step("bad", "a"), make_step("after", "b", "bad"), make_step("later", "b", "after"),
        make_step("other", "b"),
    )  # fmt: skip
    async with Bench(make_registry({"a": failing(99), "b": echo}, workflow)) as bench:
        record = await bench.engine.wait(await bench.engine.submit("w", {}))
    assert record.status is ExecutionStatus.FAILED
    assert [e.step_id for e in bench.of(E.STEP_SKIPPED)] == ["after", "later"]
    assert [e.step_id for e in bench.of(E.STEP_COMPLETED)] == ["other"]


async def test_a_failed_step_is_tried_again_in_the_same_execution() -> None:
    workflow = make_workflow(
        "w", make_step("first", "b"), make_step("bad", "a", "first"), make_step("after", "b", "bad")
    )
    async with Bench(make_registry({"a": failing(1), "b": echo}, workflow)) as bench:
        execution_id = await bench.engine.submit("w", {})
        assert (await bench.engine.wait(execution_id)).status is ExecutionStatus.FAILED
        with pytest.raises(Conflict, match=r"step 'first' .* has not failed; failed: bad"):
            await bench.engine.retry_step(execution_id, "first")
        await bench.engine.retry_step(execution_id, "bad")
        record = await bench.engine.wait(execution_id)
        with pytest.raises(Conflict, match="is completed, not failed"):
            await bench.engine.retry_step(execution_id, "bad")
    assert (record.status, record.error) == (ExecutionStatus.COMPLETED, None)
    assert [e.step_id for e in bench.of(E.STEP_COMPLETED)] == ["first", "bad", "after"]
    assert bench.of(E.WORKFLOW_STARTED)[1].data["retried_step"] == "bad"


async def test_the_worker_limit_holds_and_moves_both_ways() -> None:
    gate = asyncio.Semaphore(0)

    async def work(context: StepContext) -> AgentResult:
        await gate.acquire()
        return AgentResult()

    registry = make_registry({"a": work}, make_workflow("w", make_step("s")))
    controls = Controls(registry)
    async with Bench(registry, workers=1, controls=controls) as bench:
        engine = bench.engine
        ids = [await engine.submit("w", {"n": n}) for n in range(5)]
        await bench.settle()
        assert (engine.snapshot().active, engine.snapshot().pending) == ({"w": 1}, {"w": 4})
        await controls.apply(bench.order(ControlKind.SET_WORKER_LIMIT, workers=3))
        assert (engine.snapshot().active, engine.snapshot().workers) == ({"w": 3}, 3)
        await controls.apply(bench.order(ControlKind.SET_WORKER_LIMIT, workers=1))
        gate.release()
        await engine.wait(ids[0])
        await bench.settle()
        assert (engine.snapshot().active, engine.snapshot().pending) == ({"w": 2}, {"w": 2})
        for _ in range(4):
            gate.release()
        for execution_id in ids:
            await engine.wait(execution_id)
        assert engine.snapshot().active == {"w": 0}
        await bench.settle()
    assert [e.data["input"]["n"] for e in bench.of(E.WORKFLOW_STARTED)] == [0, 1, 2, 3, 4]


async def test_the_age_of_the_oldest_execution_is_that_of_its_present_run() -> None:
    gate = asyncio.Semaphore(0)

    async def fail(context: StepContext) -> AgentResult:
        await gate.acquire()
        raise AgentError("no", retryable=False)

    registry = make_registry(
        {"a": fail}, make_workflow("w", make_step("s")), make_workflow("v", make_step("s"))
    )
    async with Bench(registry, workers=1) as bench:
        engine, clock = bench.engine, bench.clock
        first = await engine.submit("w", {})
        await engine.submit("w", {})  # waits for the worker: it does not age
        await bench.settle()
        clock.moment += timedelta(seconds=90)
        assert engine.snapshot().oldest_age_s == {"w": 90.0, "v": 0.0}
        gate.release()
        await engine.wait(first)
        await bench.settle()
        assert engine.snapshot().oldest_age_s == {"w": 0.0, "v": 0.0}
        clock.moment += timedelta(seconds=30)
        gate.release()
        await bench.settle()
        await engine.retry_step(first, "s")
        await bench.settle()
        clock.moment += timedelta(seconds=5)
        assert engine.snapshot().oldest_age_s["w"] == 5.0


async def test_cancelling_a_running_execution_closes_every_event() -> None:
    workflow = make_workflow("w", make_step("s", "a"), make_step("after", "b", "s"))
    async with Bench(make_registry({"a": hang, "b": echo}, workflow)) as bench:
        execution_id = await bench.engine.submit("w", {})
        await bench.settle()
        await bench.engine.cancel(execution_id)
        assert bench.engine.execution(execution_id).status is ExecutionStatus.CANCELLED
        with pytest.raises(Conflict, match="cancelled already"):
            await bench.engine.cancel(execution_id)
    assert bench.kinds() == [
        E.WORKFLOW_STARTED, E.STEP_STARTED, E.AGENT_INVOKED, E.AGENT_FAILED, E.STEP_FAILED, E.WORKFLOW_CANCELLED,
    ]  # fmt: skip
    assert bench.of(E.AGENT_FAILED)[0].error_type == bench.of(E.STEP_FAILED)[0].error_type == "cancelled"


async def test_cancelling_right_after_submitting_still_says_so() -> None:
    registry = make_registry({"a": hang}, make_workflow("w", make_step("s")))
    async with Bench(registry, workers=1) as bench:
        ids = [await bench.engine.submit("w", {}) for _ in range(2)]
        for execution_id in ids:
            await bench.engine.cancel(execution_id)
            assert (await bench.engine.wait(execution_id)).status is ExecutionStatus.CANCELLED
    assert len(bench.of(E.WORKFLOW_CANCELLED)) == 2


async def test_a_restart_runs_the_same_input_and_says_where_it_came_from() -> None:
    workflow = make_workflow("w", make_step("s", "a"))
    async with Bench(make_registry({"a": hang}, workflow)) as bench:
        old = await bench.engine.submit("w", {"q": 1})
        await bench.settle()
        new = await bench.engine.restart(old, ExecutionId("again"))
        assert bench.engine.execution(old).status is ExecutionStatus.CANCELLED
        record = bench.engine.execution(new)
        assert (record.input, record.restarted_from) == ({"q": 1}, old)
        await bench.settle()
        first, second = bench.of(E.WORKFLOW_STARTED)
        links = [identity.of(first).traceparent]
        assert second.data == {"input": {"q": 1}, "restarted_from": old, "links": links}


async def test_the_input_is_the_engines_own_copy() -> None:
    given = {"q": [1]}
    async with Bench(make_registry({"a": hang}, make_workflow("w", make_step("s")))) as bench:
        execution_id = await bench.engine.submit("w", given)
        given["q"].append(2)
        assert bench.engine.execution(execution_id).input == {"q": [1]}


async def test_unknown_and_taken_names_are_refused() -> None:
    async with Bench(make_registry({"a": echo}, make_workflow("w", make_step("s")))) as bench:
        with pytest.raises(NotFound, match="workflow 'v'"):
            await bench.engine.submit("v", {})
        with pytest.raises(NotFound, match="execution 'x'"):
            await bench.engine.wait("x")
        await bench.engine.submit("w", {}, ExecutionId("x"))
        with pytest.raises(Conflict, match="'x' exists already"):
            await bench.engine.submit("w", {}, ExecutionId("x"))


async def test_memory_of_finished_executions_and_the_queue_are_bounded() -> None:
    registry = make_registry(
        {"a": echo, "h": hang}, make_workflow("w", make_step("s")), make_workflow("h", make_step("s", "h"))
    )
    engine = Engine(
        registry, EventEmitter(), Controls(registry), workers=1, max_pending=2, keep_finished=2
    )  # fmt: skip
    for n in range(4):
        await engine.wait(await engine.submit("w", {}, ExecutionId(f"x{n}")))
    assert [record.id for record in engine.executions()] == ["x2", "x3"]
    for _ in range(3):
        await engine.submit("h", {})
    with pytest.raises(Overloaded, match="2 executions wait"):
        await engine.submit("h", {})
    await engine.aclose(timeout_s=0.0)
    assert {record.status for record in engine.executions()} == {ExecutionStatus.CANCELLED}
    with pytest.raises(Unavailable, match="shutting down"):
        await engine.submit("h", {})
