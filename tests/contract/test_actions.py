"""Each action against a running engine: planned, done, seen in the engine, judged, taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from awf.core.actions import ApplyStatus, Attempt, Effect
from awf.core.incidents import ActionCall, CauseClass, Hypothesis, Target
from awf.core.types import ControlKind, ExecutionStatus, IncidentId
from tests.contract._plant import TIMEOUT_S, Plant, plant, until, work
from tests.contract._server import VIAS
from tests.contract._signals import (
    invocations,
    log_of_the_end,
    nothing,
    queue_length,
    step_durations,
)

DRAFT = Target("report", "draft", "writer")
EFFECTS = (Effect.EFFECTIVE, Effect.INEFFECTIVE, Effect.INCONCLUSIVE)

# -- the seven


async def at_the_draft(found: Plant) -> Hypothesis:
    return Hypothesis(CauseClass.AGENT_ERROR, DRAFT, 0.9, "it fails", affected=(DRAFT,))


async def after_a_failure(found: Plant) -> Hypothesis:
    target = Target("report", "draft", "writer", await found.fail_once())
    return Hypothesis(CauseClass.WORKFLOW_FAILURE, target, 0.9, "it fails", affected=(target,))


@dataclass(frozen=True)
class Case:
    """An action, the cause it is planned for, what it leaves in the engine, and what it is judged by."""

    name: str
    cause: Callable[[Plant], Awaitable[Hypothesis]]
    seen: Callable[[Plant], object]
    changed: object
    judged_by: Callable[[Plant, Effect], None]
    is_reversible: bool = True


def waiting(found: Plant) -> int:
    return sum(found.engine.snapshot().pending.values())


CASES = {
    case.name: case
    for case in (
        Case("switch_fallback", at_the_draft, lambda found: set(found.engine.controls.switches.forced_fallbacks),
             {("report", "draft")}, step_durations),
        Case("increase_timeout", at_the_draft, lambda found: found.engine.controls.switches.timeout_factors,
             {("report", "draft"): 1.5}, invocations),
        Case("disable_agent", at_the_draft, lambda found: set(found.engine.controls.switches.disabled_agents),
             {"writer"}, step_durations),
        Case("scale_workers", at_the_draft, lambda found: found.engine.workers, 4, queue_length),
        Case("restart_workflow", after_a_failure, lambda found: len(found.engine.executions()), 2,
             log_of_the_end, is_reversible=False),
        Case("retry_step", after_a_failure, lambda found: len(found.world.calls("writer")), 3,
             log_of_the_end, is_reversible=False),
        Case("notify_oncall", at_the_draft, lambda found: len(found.people.pages), 1,
             nothing, is_reversible=False),
    )
}  # fmt: skip
ON_ENGINES = sorted(CASES.keys() - {"notify_oncall"})


async def planned(found: Plant, case: Case) -> ActionCall:
    plan = await found.runner().plan(case.name, await case.cause(found))
    assert plan.call is not None, plan.why
    return plan.call


async def settle(found: Plant) -> None:
    """Let the executions that an order started come to their end."""
    for record in found.engine.executions():
        await found.engine.wait(record.id)


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("name", sorted(CASES))
async def test_it_changes_the_engine_once_and_its_undo_restores_what_stood_before(
    via: str, name: str
) -> None:
    case = CASES[name]
    async with plant(via) as found:
        call = await planned(found, case)
        at_first, switches = case.seen(found), found.engine.controls.switches
        applied = await found.runner().apply(work(call))
        again = await found.runner().apply(work(call))
        await settle(found)
        assert (applied.status, again.status) == (ApplyStatus.APPLIED, ApplyStatus.APPLIED)
        assert at_first != case.changed
        assert case.seen(found) == case.changed or name == "notify_oncall"
        undone = await found.runner().undo(work(call), applied)
        twice = await found.runner().undo(work(call), applied)
        assert {undone.status, twice.status} == {
            ApplyStatus.APPLIED if case.is_reversible else ApplyStatus.REFUSED
        }
        if case.is_reversible:
            assert (case.seen(found), found.engine.controls.switches) == (at_first, switches)


@pytest.mark.parametrize("name", ON_ENGINES)
@pytest.mark.parametrize("effect", EFFECTS)
async def test_its_effect_is_what_the_data_says_and_no_data_says_nothing(name: str, effect: Effect) -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES[name])
        if name == "restart_workflow":
            call = ActionCall(name, {**call.arguments, "new_execution_id": "exec_again"})
        CASES[name].judged_by(found, effect)
        runner = found.runner()
        applied = await runner.apply(work(call))
        assert (await runner.verify(work(call), applied)).effect is effect


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("name", ON_ENGINES)
async def test_of_an_engine_that_is_away_nothing_is_claimed_until_it_answers(via: str, name: str) -> None:
    case = CASES[name]
    async with plant(via, control_timeout_s=0.3) as found:
        call = await planned(found, case)
        at_first = case.seen(found)
        await found.members[0].disconnect()
        applied = await found.runner().apply(work(call))
        assert (applied.status, applied.detail) == (ApplyStatus.UNCONFIRMED, "no answer from engine e1")
        assert (applied.before, case.seen(found)) == ((), at_first)
        await found.members[0].connect()
        while (late := await found.runner().apply(work(call))).status is not ApplyStatus.APPLIED:
            assert late.status is ApplyStatus.UNCONFIRMED
        await settle(found)
        assert case.seen(found) == case.changed
        assert bool(late.before) is case.is_reversible


# -- what is done already


async def told(found: Plant) -> None:
    """Wait until the server knows how the engine's switches stand."""

    async def is_told() -> bool:
        return replace(await found.info(), last_seen=None) == found.engine.info()

    await until(is_told)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("switch_fallback", "a fallback agent does draft already"),
        ("disable_agent", "agent writer is out of service already"),
    ],
)
async def test_what_is_switched_already_is_not_planned_again_and_after_the_undo_it_is(
    name: str, why: str
) -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES[name])
        applied = await found.runner().apply(work(call))
        await told(found)
        again = await found.runner().plan(name, await at_the_draft(found))
        assert (again.call, again.why) == (None, why)
        await found.runner().undo(work(call), applied)
        await told(found)
        assert (await found.runner().plan(name, await at_the_draft(found))).call == call


async def test_a_fallback_that_is_out_of_service_is_nothing_to_switch_to() -> None:
    async with plant("in process") as found:
        await found.order(ControlKind.SET_AGENT_ENABLED, {"agent_id": "backup", "enabled": False})
        await told(found)
        for name in ("switch_fallback", "disable_agent"):
            plan = await found.runner().plan(name, await at_the_draft(found))
            assert (plan.call, "fallback" in plan.why) == (None, True)


@pytest.mark.parametrize("via", VIAS)
async def test_timeouts_are_raised_from_where_they_stand_up_to_a_limit(via: str) -> None:
    async with plant(via) as found:
        for number, factor in enumerate((1.5, 2.25, 3.375)):
            call = await planned(found, CASES["increase_timeout"])
            assert [step["factor"] for step in call.arguments["steps"]] == [factor]
            applied = await found.runner().apply(work(call, f"inc_{number}"))
            assert applied.status is ApplyStatus.APPLIED, applied.detail
            ended = Attempt(IncidentId(f"inc_{number}"), call.name, call.digest, (), found.clock.now())
            await found.server.state.attempts.end(ended, "effective", detail={}, lease=None)
            found.clock.advance(600)
            await told(found)
        plan = await found.runner().plan("increase_timeout", await at_the_draft(found))
        assert (plan.call, "more than 4 times" in plan.why) == (None, True)
        await found.runner().undo(work(call, "inc_2"), applied)
        assert found.engine.controls.switches.timeout_factors == {("report", "draft"): 2.25}


# -- executions in flight


async def test_an_execution_in_flight_is_drafted_by_the_fallback_once_it_is_switched() -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES["switch_fallback"])
        with found.world.holding("reader"):
            running = await found.engine.submit("report", {})
            applied = await found.runner().apply(work(call))
        assert (await found.engine.wait(running)).status is ExecutionStatus.COMPLETED
        assert (len(found.world.calls("writer")), len(found.world.calls("backup"))) == (0, 1)
        await found.runner().undo(work(call), applied)
        await found.engine.wait(await found.engine.submit("report", {}))
        assert (len(found.world.calls("writer")), len(found.world.calls("backup"))) == (1, 1)


async def test_a_disabled_agent_that_is_at_work_may_finish_but_is_not_asked_again() -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES["disable_agent"])
        found.world.failing.add("writer")
        with found.world.holding("writer"):
            running = await found.engine.submit("report", {})
            while not found.world.calls("writer"):
                await asyncio.sleep(0.001)
            await found.runner().apply(work(call))
        assert (await found.engine.wait(running)).status is ExecutionStatus.COMPLETED
        assert (len(found.world.calls("writer")), len(found.world.calls("backup"))) == (1, 1)


async def test_a_longer_timeout_holds_for_the_next_attempt_of_an_execution_in_flight() -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES["increase_timeout"])
        with found.world.holding("reader"):
            running = await found.engine.submit("report", {})
            await found.runner().apply(work(call))
        await found.engine.wait(running)
        assert [context.timeout_s for context in found.world.calls("writer")] == [1.5 * TIMEOUT_S]


async def test_more_workers_take_up_waiting_executions_at_once_and_fewer_stop_none() -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES["scale_workers"])
        with found.world.holding("reader"):
            for _ in range(6):
                await found.engine.submit("report", {})
            assert waiting(found) == 4
            applied = await found.runner().apply(work(call))
            assert waiting(found) == 2
            await found.runner().undo(work(call), applied)
            assert waiting(found) == 2
        await settle(found)
        ended = {record.status for record in found.engine.executions()}
        assert ended == {ExecutionStatus.COMPLETED}


async def test_a_restart_runs_everything_again_with_the_same_input() -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES["restart_workflow"])
        await found.runner().apply(work(call))
        record = await found.engine.wait(call.arguments["new_execution_id"])
        assert (record.status, record.input) == (ExecutionStatus.COMPLETED, {"subject": "tides"})
        known = await found.until_server_knows(record.id, "completed")
        assert known.restarted_from == call.arguments["execution_id"]
        assert len(found.world.calls("reader")) == 2


async def test_a_retried_step_goes_on_in_the_same_execution_without_repeating_the_others() -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES["retry_step"])
        await found.runner().apply(work(call))
        record = await found.engine.wait(call.arguments["execution_id"])
        assert record.status is ExecutionStatus.COMPLETED
        assert (len(found.world.calls("reader")), len(found.world.calls("publisher"))) == (1, 1)


# -- refusals


def steps(*names: str) -> ActionCall:
    places = [{"workflow_id": "report", "step_id": name, "agent_id": "x"} for name in names]
    return ActionCall("switch_fallback", {"steps": places})


@pytest.mark.parametrize("via", VIAS)
async def test_when_an_engine_refuses_one_step_the_others_are_put_back(via: str) -> None:
    async with plant(via) as found:
        at_first = found.engine.controls.switches
        applied = await found.runner().apply(work(steps("draft", "publish")))
        assert applied.status is ApplyStatus.FAILED
        assert "step 'publish' of workflow 'report' has no fallback agent" in applied.detail
        assert applied.detail.endswith("what was done is put back")
        assert found.engine.controls.switches == at_first


async def test_when_one_of_two_engines_cannot_the_other_goes_back_to_its_own_earlier_value(
    tmp_path: Path,
) -> None:
    async with plant("in process") as found:
        broken = await found.add_engine("e2", path=tmp_path / "gone" / "controls.json")
        (tmp_path / "gone").write_text("a file where a directory should be")
        place = {"workflow_id": "report", "step_id": "draft"}
        await found.order(ControlKind.SET_TIMEOUT_FACTOR, {**place, "factor": 1.25, "engine_id": "e1"})
        at_first = found.engine.controls.switches
        call = ActionCall("increase_timeout", {"steps": [{**place, "agent_id": "writer", "factor": 3.0}]})
        applied = await found.runner().apply(work(call))
        assert applied.status is ApplyStatus.FAILED
        assert "engine e2 failed: the control file" in applied.detail
        assert found.engine.controls.switches == at_first
        assert broken.controls.switches.timeout_factors == {}


@pytest.mark.parametrize("name", ["restart_workflow", "retry_step"])
async def test_an_engine_that_forgot_the_execution_refuses(name: str) -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES[name])
        await found.members.pop().aclose()
        await found.add_engine("e1")
        applied = await found.runner().apply(work(call))
        assert applied.status is ApplyStatus.FAILED
        assert "is not known to this engine" in applied.detail


async def test_an_undo_gives_each_engine_its_own_number_of_workers_back() -> None:
    async with plant("in process") as found:
        other = await found.add_engine("e2", workers=5)
        call = await planned(found, CASES["scale_workers"])
        applied = await found.runner().apply(work(call))
        assert (found.engine.workers, other.engine.workers) == (4, 10)
        assert (await found.runner().undo(work(call), applied)).status is ApplyStatus.APPLIED
        assert (found.engine.workers, other.engine.workers) == (2, 5)


async def test_an_undo_that_reaches_nobody_is_not_called_done() -> None:
    async with plant("in process", control_timeout_s=0.3) as found:
        call = await planned(found, CASES["switch_fallback"])
        applied = await found.runner().apply(work(call))
        await found.members[0].disconnect()
        assert (await found.runner().undo(work(call), applied)).status is ApplyStatus.UNCONFIRMED


async def test_telling_people_says_who_was_told_and_proves_nothing() -> None:
    async with plant("in process") as found:
        call = await planned(found, CASES["notify_oncall"])
        runner = found.runner()
        applied = await runner.apply(work(call))
        assert (applied.status, found.people.pages) == (ApplyStatus.APPLIED, ["it fails"])
        assert (await runner.verify(work(call), applied)).effect is Effect.INCONCLUSIVE
