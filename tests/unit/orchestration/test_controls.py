from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from awf.core.types import AckStatus, ChangeId, ControlChange, ControlKind, ExecutionStatus
from awf.errors import ConfigError
from awf.orchestration import AgentResult, Controls, EventType, StepContext

from ._parts import Bench, echo, hang, make_registry, make_step, make_workflow

K = ControlKind
E = EventType

TWO_STEPS = make_workflow("w", make_step("gate", "gate"), make_step("s", "a", "gate", fallback="b"))


class Gate:
    """An agent that holds an execution until the test lets it go on."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def run(self, context: StepContext) -> AgentResult:
        await self.open.wait()
        return AgentResult("open")


def two_steps() -> tuple[Bench, Gate]:
    gate = Gate()
    return Bench(make_registry({"gate": gate.run, "a": echo, "b": echo}, TWO_STEPS)), gate


@pytest.mark.parametrize("is_valid", [True, False])
async def test_an_execution_that_is_ordered_continues_the_callers_trace(is_valid: bool) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" if is_valid else "nonsense"
    async with Bench(make_registry({"a": echo}, make_workflow("w", make_step("s")))) as bench:
        order = bench.order(
            K.START_EXECUTION, workflow_id="w", execution_id="x", input={}, traceparent=traceparent
        )
        assert (await bench.controls.apply(order)).status is AckStatus.APPLIED
        await bench.engine.wait("x")
    assert {event.traceparent for event in bench.events} == {traceparent if is_valid else ""}


async def test_a_forced_fallback_is_obeyed_by_a_running_execution_and_can_be_undone() -> None:
    bench, gate = two_steps()
    async with bench:
        execution_id = await bench.engine.submit("w", {})
        await bench.settle()
        ack = await bench.controls.apply(
            bench.order(K.SET_FALLBACK_FORCED, workflow_id="w", step_id="s", forced=True)
        )
        assert ack.before == {"workflow_id": "w", "step_id": "s", "forced": False}
        gate.open.set()
        record = await bench.engine.wait(execution_id)
        assert record.output == {"s": {"by": "b", "from": {"gate": "open"}}}
        await bench.controls.apply(bench.order(K.SET_FALLBACK_FORCED, **ack.before))
        record = await bench.engine.wait(await bench.engine.submit("w", {}))
        assert record.output == {"s": {"by": "a", "from": {"gate": "open"}}}
    assert [e.data["reason"] for e in bench.of(E.STEP_FALLBACK)] == ["forced"]


async def test_a_disabled_agent_is_bypassed_by_a_running_execution() -> None:
    bench, gate = two_steps()
    async with bench:
        execution_id = await bench.engine.submit("w", {})
        await bench.settle()
        ack = await bench.controls.apply(bench.order(K.SET_AGENT_ENABLED, agent_id="a", enabled=False))
        assert ack.before == {"agent_id": "a", "enabled": True}
        gate.open.set()
        await bench.engine.wait(execution_id)
        await bench.controls.apply(bench.order(K.SET_AGENT_ENABLED, agent_id="b", enabled=False))
        record = await bench.engine.wait(await bench.engine.submit("w", {}))
    assert [e.data["reason"] for e in bench.of(E.STEP_FALLBACK)] == ["agent_disabled"]
    assert "agent a is disabled and the step has no usable fallback" in str(record.error)
    assert bench.of(E.STEP_FAILED)[0].error_type == "agent_disabled"
    assert "a" not in [e.agent_id for e in bench.of(E.AGENT_INVOKED)]


async def test_disabling_an_agent_ends_its_retries() -> None:
    async def fail(context: StepContext) -> AgentResult:
        await bench.controls.apply(bench.order(K.SET_AGENT_ENABLED, agent_id="a", enabled=False))
        raise RuntimeError("no")

    workflow = make_workflow("w", make_step("s", "a", retries=5, fallback="b"))
    bench = Bench(make_registry({"a": fail, "b": echo}, workflow))
    async with bench:
        await bench.engine.wait(await bench.engine.submit("w", {}))
    assert [e.agent_id for e in bench.of(E.AGENT_INVOKED)] == ["a", "b"]


async def test_a_timeout_factor_reaches_steps_that_start_later_in_a_running_execution() -> None:
    seen: list[float] = []

    async def note(context: StepContext) -> AgentResult:
        seen.append(context.timeout_s)
        return AgentResult()

    gate = Gate()
    workflow = make_workflow("w", make_step("gate", "gate"), make_step("s", "a", "gate", timeout_s=2.0))
    async with Bench(make_registry({"gate": gate.run, "a": note}, workflow)) as bench:
        execution_id = await bench.engine.submit("w", {})
        await bench.settle()
        order = bench.order(K.SET_TIMEOUT_FACTOR, workflow_id="w", step_id="s", factor=1.5)
        assert (await bench.controls.apply(order)).before["factor"] == 1.0
        gate.open.set()
        await bench.engine.wait(execution_id)
    assert seen == [3.0]


async def test_a_change_is_applied_once_and_a_repeat_gets_the_first_answer() -> None:
    bench, gate = two_steps()
    async with bench:
        gate.open.set()
        order = bench.order(K.START_EXECUTION, workflow_id="w", execution_id="x", input={"n": 1})
        first = await bench.controls.apply(order)
        assert await bench.controls.apply(order) is first
        assert (await bench.engine.wait("x")).input == {"n": 1}
    assert len(bench.of(E.WORKFLOW_STARTED)) == 1


async def test_a_stale_token_is_refused() -> None:
    bench, _ = two_steps()
    async with bench:
        late = bench.order(K.SET_WORKER_LIMIT, workers=9)
        await bench.controls.apply(bench.order(K.SET_WORKER_LIMIT, workers=2))
        ack = await bench.controls.apply(late)
        assert (ack.status, bench.engine.workers) == (AckStatus.REFUSED, 2)
        assert ack.detail == "token 1 is not above 2, the last one applied"


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        (K.SET_AGENT_ENABLED, {"agent_id": "z", "enabled": False}, "agent 'z' is not registered"),
        (K.SET_AGENT_ENABLED, {"agent_id": "a", "enabled": "no"}, "enabled is 'no', expected a value of type bool"),
        (K.SET_AGENT_ENABLED, {"agent_id": "a"}, "set_agent_enabled needs the argument 'enabled'"),
        (K.SET_WORKER_LIMIT, {"workers": 2, "by": "me"}, "does not know the argument 'by'"),
        (K.SET_WORKER_LIMIT, {"workers": 0}, "workers is 0, expected 1 to 1000"),
        (K.SET_WORKER_LIMIT, {"workers": True}, "workers is True"),
        (K.SET_FALLBACK_FORCED, {"workflow_id": "v", "step_id": "s", "forced": True}, "workflow 'v'"),
        (K.SET_FALLBACK_FORCED, {"workflow_id": "w", "step_id": "z", "forced": True}, "no step 'z'"),
        (K.SET_FALLBACK_FORCED, {"workflow_id": "w", "step_id": "gate", "forced": True}, "no fallback agent"),
        (K.SET_TIMEOUT_FACTOR, {"workflow_id": "w", "step_id": "s", "factor": 0}, "factor is 0"),
        (K.SET_TIMEOUT_FACTOR, {"workflow_id": "w", "step_id": "s", "factor": float("nan")}, "expected a number"),
        (K.START_EXECUTION, {"workflow_id": "v", "execution_id": "x", "input": {}}, "workflow 'v'"),
        (K.START_EXECUTION, {"workflow_id": "w", "execution_id": "", "input": {}}, "0 characters"),
        (K.RETRY_STEP, {"execution_id": "x", "step_id": "s"}, "execution 'x' is not known"),
        (K.CANCEL_EXECUTION, {"execution_id": "x"}, "execution 'x' is not known"),
        (K.RESTART_EXECUTION, {"execution_id": "x", "new_execution_id": "y"}, "execution 'x' is not known"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    kind: ControlKind, arguments: dict[str, Any], words: str
) -> None:
    bench, _ = two_steps()
    async with bench:
        before = bench.controls.switches
        ack = await bench.controls.apply(bench.order(kind, **arguments))
        assert ack.status is AckStatus.REFUSED
        assert words in ack.detail
        assert (bench.controls.switches, bench.controls.last_token) == (before, 0)


async def test_a_change_may_name_its_engine_and_then_so_does_its_inverse() -> None:
    bench, _ = two_steps()
    async with bench:
        ack = await bench.controls.apply(bench.order(K.SET_WORKER_LIMIT, workers=8, engine_id="e1"))
        assert (ack.status, ack.before) == (AckStatus.APPLIED, {"workers": None, "engine_id": "e1"})
        ack = await bench.controls.apply(bench.order(K.SET_WORKER_LIMIT, workers=2, engine_id="e2"))
        assert (ack.status, bench.engine.workers) == (AckStatus.REFUSED, 8)
        assert ack.detail == "the change is for engine 'e2', this is 'e1'"


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (K.SET_AGENT_ENABLED, {"agent_id": "a", "enabled": False}),
        (K.SET_FALLBACK_FORCED, {"workflow_id": "w", "step_id": "s", "forced": True}),
        (K.SET_TIMEOUT_FACTOR, {"workflow_id": "w", "step_id": "s", "factor": 1.5}),
        (K.SET_WORKER_LIMIT, {"workers": 8}),
    ],
)
async def test_the_inverse_leaves_no_trace_of_a_switch(kind: ControlKind, arguments: dict[str, Any]) -> None:
    bench, _ = two_steps()
    async with bench:
        at_first = bench.controls.switches
        ack = await bench.controls.apply(bench.order(kind, **arguments))
        assert bench.controls.switches != at_first
        assert (await bench.controls.apply(bench.order(kind, **ack.before))).status is AckStatus.APPLIED
        assert (bench.controls.switches, bench.engine.workers) == (at_first, 4)


async def test_execution_orders_reach_the_engine() -> None:
    workflow = make_workflow("w", make_step("s", "a"))
    async with Bench(make_registry({"a": hang}, workflow)) as bench:
        for order in (
            bench.order(K.START_EXECUTION, workflow_id="w", execution_id="x", input={"n": 1}),
            bench.order(K.RESTART_EXECUTION, execution_id="x", new_execution_id="y"),
            bench.order(K.CANCEL_EXECUTION, execution_id="y"),
        ):
            assert (await bench.controls.apply(order)).status is AckStatus.APPLIED
        records = {record.id: record for record in bench.engine.executions()}
    assert {record.status for record in records.values()} == {ExecutionStatus.CANCELLED}
    assert (records["y"].input, records["y"].restarted_from) == ({"n": 1}, "x")


async def test_switches_answers_and_the_fence_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "engine" / "controls.json"
    registry = make_registry({"gate": echo, "a": echo, "b": echo}, TWO_STEPS)
    async with Bench(registry, controls=Controls(registry, path)) as bench:
        orders = [
            bench.order(K.SET_AGENT_ENABLED, agent_id="a", enabled=False),
            bench.order(K.SET_FALLBACK_FORCED, workflow_id="w", step_id="s", forced=True),
            bench.order(K.SET_TIMEOUT_FACTOR, workflow_id="w", step_id="s", factor=1.5),
            bench.order(K.SET_WORKER_LIMIT, workers=8),
        ]
        acks = [await bench.controls.apply(order) for order in orders]
        switches = bench.controls.switches
    async with Bench(registry, controls=Controls(registry, path)) as again:
        assert (again.controls.switches, again.engine.workers) == (switches, 8)
        assert [await again.controls.apply(order) for order in orders] == acks
        stale = ControlChange(ChangeId("new"), K.SET_WORKER_LIMIT, {"workers": 1}, 4, "t", again.clock.now())
        assert (await again.controls.apply(stale)).status is AckStatus.REFUSED
    assert [item.name for item in path.parent.iterdir()] == ["controls.json"]


async def test_a_file_that_cannot_be_written_leaves_the_switch_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "controls.json"
    registry = make_registry({"gate": echo, "a": echo, "b": echo}, TWO_STEPS)
    async with Bench(registry, controls=Controls(registry, path)) as bench:
        (tmp_path / "gone").write_text("a file where a directory should be")
        ack = await bench.controls.apply(bench.order(K.SET_WORKER_LIMIT, workers=8))
        assert (ack.status, bench.engine.workers) == (AckStatus.FAILED, 4)
        assert "cannot be written" in ack.detail


@pytest.mark.parametrize("text", ["{", '{"last_token": "x"}', "[]"])
def test_a_damaged_file_is_refused_rather_than_forgotten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "controls.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"controls\.json cannot be read"):
        Controls(make_registry({}), path)


async def test_the_memory_of_answers_is_bounded() -> None:
    bench, _ = two_steps()
    async with bench:
        orders = [bench.order(K.SET_WORKER_LIMIT, workers=n % 9 + 1) for n in range(1001)]
        acks = [await bench.controls.apply(order) for order in orders]
        assert await bench.controls.apply(orders[1]) is acks[1]
        assert (await bench.controls.apply(orders[0])).status is AckStatus.REFUSED  # forgotten, but fenced
