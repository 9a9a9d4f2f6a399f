"""Each action: what it plans, orders, accepts as proof, and takes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from awf.core import semconv as sc
from awf.core.actions import ApplyStatus, Effect
from awf.core.incidents import ActionCall, CauseClass, Hypothesis, Target
from awf.core.types import AckStatus, ControlAck, ControlChange, EngineId
from awf.testing import EPOCH, FakeControls, counter, gauge
from tests.unit.remediation._scene import (
    BEGIN,
    DRAFT,
    SPECS,
    Scene,
    approval,
    cause,
    engine,
    order,
    steps,
)

SWITCH = ActionCall(
    "switch_fallback", {"steps": [{"workflow_id": "report", "step_id": "draft", "agent_id": "writer"}]}
)
SCALE = ActionCall("scale_workers", {"engines": [{"engine_id": "e1", "workers": 8, "workers_before": 4}]})
RESTART = ActionCall(
    "restart_workflow", {"workflow_id": "report", "execution_id": "exe_1", "new_execution_id": "exe_2"}
)


def test_there_are_the_seven_actions() -> None:
    assert set(SPECS) == {
        "restart_workflow", "retry_step", "switch_fallback", "increase_timeout", "disable_agent",
        "scale_workers", "notify_oncall",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "hypothesis", "expected"),
    [
        ("switch_fallback", cause(DRAFT), [("draft", "writer")]),
        ("switch_fallback", cause(Target(agent_id="writer")), [("draft", "writer"), ("title", "writer")]),
        (
            "switch_fallback",
            cause(Target("report", "publish", "publisher")),
            "no affected step has a healthy",
        ),
        ("switch_fallback", cause(DRAFT, Target(agent_id="backup")), "no affected step has a healthy"),
        ("switch_fallback", cause(Target("report", "review", "writer")), "no affected step has a healthy"),
        ("switch_fallback", cause(Target("other", "draft", "writer")), "no affected step has a healthy"),
        ("increase_timeout", cause(Target("report", "publish", "publisher")), [("publish", "publisher")]),
        ("increase_timeout", cause(Target(agent_id="nobody")), "no affected step is known"),
    ],
)
async def test_steps_are_planned_only_where_they_were_seen_and_can_be_helped(
    scene: Scene, name: str, hypothesis: Hypothesis, expected: object
) -> None:
    plan = await scene.runner().plan(name, hypothesis)
    if isinstance(expected, str):
        assert plan.call is None
        assert expected in plan.why
    else:
        assert plan.call is not None
        assert [(each["step_id"], each["agent_id"]) for each in plan.call.arguments["steps"]] == expected


@pytest.mark.parametrize(
    ("name", "hypothesis", "why"),
    [
        ("disable_agent", cause(), "names no agent"),
        ("disable_agent", cause(Target(agent_id="ghost")), "no live engine has agent ghost"),
        ("disable_agent", cause(Target(agent_id="publisher")), "no fallback"),
        ("restart_workflow", cause(Target(workflow_id="report")), "no failed execution"),
        ("retry_step", cause(Target("report", execution_id="exe_1")), "no failed step"),
    ],
)
async def test_what_cannot_help_is_not_planned_and_says_why(
    scene: Scene, name: str, hypothesis: Hypothesis, why: str
) -> None:
    plan = await scene.runner().plan(name, hypothesis)
    assert plan.call is None
    assert why in plan.why


async def test_workers_double_up_to_the_limit(scene: Scene) -> None:
    saturated = cause(kind=CauseClass.WORKER_SATURATION)
    plan = await scene.runner(max_workers=6).plan("scale_workers", saturated)
    assert plan.call is not None
    assert plan.call.arguments["engines"] == [{"engine_id": "e1", "workers": 6, "workers_before": 4}]
    assert (await scene.runner(max_workers=4).plan("scale_workers", saturated)).call is None


async def test_a_restart_and_a_retry_name_the_observed_execution(scene: Scene) -> None:
    failed = cause(replace(DRAFT, execution_id="exe_1"), kind=CauseClass.WORKFLOW_FAILURE)
    restart = await scene.runner().plan("restart_workflow", failed)
    retry = await scene.runner().plan("retry_step", failed)
    assert restart.call is not None
    assert restart.call.arguments["execution_id"] == "exe_1"
    assert restart.call.arguments["new_execution_id"].startswith("exec_")
    assert retry.call is not None
    assert retry.call.arguments == {"workflow_id": "report", "execution_id": "exe_1", "step_id": "draft"}


@pytest.mark.parametrize(
    ("phases", "effect"),
    [
        ([(-700, 1.0, 400.0), (0, 1.0, 250.0)], Effect.EFFECTIVE),
        ([(-700, 1.0, 400.0), (0, 1.0, 400.0)], Effect.INEFFECTIVE),
        ([(-700, 1.0, 400.0), (0, 0.0, 0.0)], Effect.INCONCLUSIVE),
    ],
)
async def test_a_switch_is_judged_by_the_steps_own_durations(
    scene: Scene, phases: list[tuple[int, float, float]], effect: Effect
) -> None:
    steps(scene.telemetry, "draft", *phases)
    runner = scene.runner()
    applied = await runner.apply(order(SWITCH))
    assert (await runner.verify(order(SWITCH), applied)).effect is effect


async def test_steps_that_fail_after_the_switch_make_it_ineffective(scene: Scene) -> None:
    steps(scene.telemetry, "draft", (-700, 1.0, 900.0), (0, 0.0, 0.0))
    steps(scene.telemetry, "draft", (0, 1.0, 100.0), status="failed")
    runner = scene.runner()
    applied = await runner.apply(order(SWITCH))
    found = await runner.verify(order(SWITCH), applied)
    assert found.effect is Effect.INEFFECTIVE
    assert "0% of" in found.statement


@pytest.mark.parametrize(("failing_after", "effect"), [(0.0, Effect.EFFECTIVE), (1.0, Effect.INEFFECTIVE)])
async def test_where_the_next_step_suffers_a_switch_is_judged_by_that_one(
    scene: Scene, failing_after: float, effect: Effect
) -> None:
    steps(scene.telemetry, "draft", (-700, 1.0, 400.0))  # did well all the time, by its own account
    steps(scene.telemetry, "publish", (-700, 1.0, 100.0), (0, failing_after, 100.0), status="failed")
    steps(scene.telemetry, "publish", (0, 1.0, 100.0))
    next_step = (Target("report", "publish", "publisher"), Target("report", "publish", "another"))
    runner = scene.runner()
    plan = await runner.plan("switch_fallback", replace(cause(DRAFT), shows_at=next_step))
    assert plan.call is not None
    assert [each["step_id"] for each in plan.call.arguments["steps"]] == ["draft"]
    assert [each["step_id"] for each in plan.call.arguments["seen_at"]] == ["publish"]
    found = await runner.verify(order(plan.call), await runner.apply(order(plan.call)))
    assert found.effect is effect


async def test_an_agent_whose_fallback_saved_each_run_is_seen_to_be_replaced(scene: Scene) -> None:
    steps(scene.telemetry, "draft", (-700, 1.0, 400.0))  # as well and as quick as after: the fallback did it
    scene.telemetry.add(sc.FALLBACKS, counter((BEGIN, 0.4), (EPOCH, 1.0)), step_id="draft")
    runner = scene.runner()
    found = await runner.verify(order(SWITCH), await runner.apply(order(SWITCH)))
    assert found.effect is Effect.EFFECTIVE
    assert "0.40 fallbacks each" in found.statement


async def test_one_failure_in_a_handful_of_runs_is_held_against_no_switch(scene: Scene) -> None:
    steps(scene.telemetry, "draft", (-700, 1.0, 100.0), (0, 0.0, 0.0), status="failed")
    steps(scene.telemetry, "draft", (0, 0.2, 100.0))
    steps(scene.telemetry, "draft", (10, 0.05, 100.0), (30, 0.0, 0.0), status="failed")
    runner = scene.runner()
    found = await runner.verify(order(SWITCH), await runner.apply(order(SWITCH)))
    assert found.effect is Effect.EFFECTIVE
    assert "87% of 6 completed" in found.statement


async def test_telemetry_that_is_down_makes_it_inconclusive(scene: Scene) -> None:
    scene.telemetry.down.add("metrics")
    runner = scene.runner()
    found = await runner.verify(order(SWITCH), await runner.apply(order(SWITCH)))
    assert found.effect is Effect.INCONCLUSIVE
    assert "could not be looked at" in found.statement


async def test_an_undo_restores_what_each_engine_had(scene: Scene) -> None:
    runner = scene.runner()
    work = order(SCALE, approval=approval(SCALE))
    applied = await runner.apply(work)
    undone = await runner.undo(work, applied)
    again = await runner.undo(work, applied)
    assert (undone.status, again.status) == (ApplyStatus.APPLIED, ApplyStatus.APPLIED)
    assert [change.arguments for change in scene.controls.changes] == [
        {"engine_id": "e1", "workers": 8},
        {"engine_id": "e1", "workers": 4},
    ]


async def test_a_refusal_half_way_puts_back_what_was_done(scene: Scene) -> None:
    def refuse_title(change: ControlChange) -> ControlAck:
        is_refused = change.arguments.get("step_id") == "title"
        status = AckStatus.REFUSED if is_refused else AckStatus.APPLIED
        before = {} if is_refused else {**change.arguments, "forced": False}
        return ControlAck(change.id, EngineId("e1"), status, before, "no" if is_refused else "")

    scene.controls = FakeControls(engine(), answer=refuse_title)
    both = ActionCall(
        "switch_fallback",
        {
            "steps": [
                {"workflow_id": "report", "step_id": s, "agent_id": "writer"} for s in ("draft", "title")
            ]
        },
    )
    applied = await scene.runner().apply(order(both))
    assert applied.status is ApplyStatus.FAILED
    assert "put back" in applied.detail
    made = [(change.arguments["step_id"], change.arguments["forced"]) for change in scene.controls.changes]
    assert made == [("draft", True), ("title", True), ("draft", False)]


@pytest.mark.parametrize(
    ("later", "effect"),
    [((30, 5.0), Effect.EFFECTIVE), ((30, 50.0), Effect.INEFFECTIVE), ((30, 20.0), Effect.INCONCLUSIVE)],
)
async def test_more_workers_are_judged_by_the_queue(
    scene: Scene, later: tuple[int, float], effect: Effect
) -> None:
    seconds, value = later
    queue = gauge((EPOCH - timedelta(minutes=5), 30.0), (EPOCH + timedelta(seconds=seconds), value))
    scene.telemetry.add(sc.EXECUTIONS_PENDING, queue)
    scene.telemetry.add(sc.WORKFLOWS, counter((BEGIN, 0.5)), workflow_id="report", status="completed")
    runner = scene.runner()
    work = order(SCALE, approval=approval(SCALE))
    assert (await runner.verify(work, await runner.apply(work))).effect is effect


async def test_a_short_queue_that_may_be_an_old_reading_proves_nothing(scene: Scene) -> None:
    scene.telemetry.add(sc.EXECUTIONS_PENDING, gauge((EPOCH - timedelta(minutes=5), 3.0)))
    scene.telemetry.add(
        sc.WORKFLOWS, counter((BEGIN, 0.5), (EPOCH, 0.0)), workflow_id="report", status="completed"
    )
    runner = scene.runner()
    work = order(SCALE, approval=approval(SCALE))
    found = await runner.verify(work, await runner.apply(work))
    assert found.effect is Effect.INCONCLUSIVE
    assert "may be old" in found.statement


@pytest.mark.parametrize(
    ("event", "effect"),
    [
        ("workflow.completed", Effect.EFFECTIVE),
        ("workflow.failed", Effect.INEFFECTIVE),
        ("", Effect.INCONCLUSIVE),
    ],
)
async def test_a_restart_is_judged_by_the_new_executions_own_end(
    scene: Scene, event: str, effect: Effect
) -> None:
    if event:
        at = EPOCH + timedelta(seconds=20)
        scene.telemetry.add_log("ended", at, service_name="awf", event_type=event, execution_id="exe_2")
    runner = scene.runner()
    found = await runner.verify(order(RESTART), await runner.apply(order(RESTART)))
    assert found.effect is effect


async def test_a_longer_timeout_is_judged_by_invocations_that_fail_less(scene: Scene) -> None:
    for status, before, after in (("failed", 0.5, 0.0), ("completed", 0.5, 1.0)):
        scene.telemetry.add(
            sc.AGENT_INVOCATIONS, counter((EPOCH - timedelta(minutes=5), before), (EPOCH, after)),
            agent_id="writer", status=status,
        )  # fmt: skip
    longer = ActionCall(
        "increase_timeout",
        {"steps": [{"workflow_id": "report", "step_id": "draft", "agent_id": "writer", "factor": 1.5}]},
    )
    runner = scene.runner()
    found = await runner.verify(order(longer), await runner.apply(order(longer)))
    assert found.effect is Effect.EFFECTIVE
    assert scene.controls.changes[0].arguments == {"workflow_id": "report", "step_id": "draft", "factor": 1.5}


async def test_on_call_is_told_once_and_a_page_that_nobody_took_is_a_failure(scene: Scene) -> None:
    call = ActionCall("notify_oncall", {"cause": "unknown", "text": "x"})
    for detail in ("told on-call by people", "told on-call before"):  # as after a restart in the middle
        applied = await scene.runner().apply(order(call))
        assert (applied.status, applied.detail) == (ApplyStatus.APPLIED, detail)
    assert scene.people.pages == ["it fails"]
    scene.people.are_away = True
    failed = await scene.runner().apply(order(call, incident="inc_2"))
    assert failed.status is ApplyStatus.FAILED
    assert failed.detail == "nobody was reached yet; people: away, which is tried again"
