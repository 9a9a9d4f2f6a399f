"""What counts as right, useless and wrong, tried at one fault of each sort."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from awf.core.types import ExecutionStatus
from awf.demo.fault import FaultBoard
from awf.demo.workflows import registry
from awf.demo.world import DemoWorld
from awf.evaluation.plant import Plant
from awf.evaluation.scenario import all_kinds
from awf.evaluation.truth import Judgement, Truth, both
from awf.orchestration import Controls, Engine, EventEmitter

PLANT, KINDS = Plant.of_demo(), all_kinds()


def truth(kind: str, target: str = "") -> Truth:
    return KINDS[kind].truth(PLANT, target)


def steps(*names: str) -> dict[str, Any]:
    return {"steps": [{"workflow_id": n.split("/")[0], "step_id": n.split("/")[1]} for n in names]}


@pytest.mark.parametrize(
    ("what", "action", "arguments", "judgement"),
    [
        (truth("agent_errors", "writer-llm"), "switch_fallback", steps("research-report/draft"), "right"),
        (truth("agent_errors", "writer-llm"), "disable_agent", {"agent_id": "writer-llm"}, "right"),
        (truth("agent_errors", "writer-llm"), "disable_agent", {"agent_id": "planner-llm"}, "wrong"),
        (truth("agent_errors", "writer-llm"), "switch_fallback",
         steps("research-report/draft", "research-report/plan"), "wrong"),
        (truth("agent_errors", "writer-llm"), "restart_workflow", {"execution_id": "e"}, "useless"),
        (truth("agent_errors", "writer-llm"), "notify_oncall", {}, "told"),
        (truth("agent_errors", "linter"), "disable_agent", {"agent_id": "linter"}, "wrong"),
        (truth("agent_stall", "writer-llm"), "increase_timeout", steps("research-report/draft"), "wrong"),
        (truth("agent_slow", "writer-llm"), "increase_timeout", steps("research-report/draft"), "useless"),
        (truth("rate_limit", "openai"), "switch_fallback",
         steps("research-report/plan", "support-triage/classify", "code-review/summarize"), "right"),
        (truth("malformed_output", "writer-llm"), "switch_fallback", steps("research-report/fact_check"), "wrong"),
        (truth("malformed_output", "writer-llm"), "switch_fallback", steps("research-report/draft"), "right"),
        (truth("worker_shortage"), "scale_workers", {"engines": [{}]}, "right"),
        (truth("false_alarm", "writer-llm"), "switch_fallback", steps("research-report/draft"), "wrong"),
        (truth("bad_input", "code-review"), "scale_workers", {"engines": [{}]}, "wrong"),
        (truth("agent_errors", "writer-llm"), "switch_fallback", {}, "wrong"),
    ],
)  # fmt: skip
def test_an_action_is_judged_by_what_it_does_where(
    what: Truth, action: str, arguments: dict[str, Any], judgement: str
) -> None:
    assert what.judge(action, arguments) is Judgement(judgement)


def test_with_two_faults_one_action_may_help_against_both() -> None:
    found = both(truth("rate_limit", "anthropic"), truth("flaky_agent", "triage-llm"))
    assert (
        found.judge("switch_fallback", steps("research-report/draft", "support-triage/classify"))
        is Judgement.RIGHT
    )
    assert found.judge("switch_fallback", steps("code-review/review")) is Judgement.WRONG
    assert found.is_cause("rate_limit")
    assert found.is_cause("agent_error")


def test_a_target_is_right_whatever_else_it_names_and_the_whole_system_is_no_part_of_it() -> None:
    agent = truth("agent_errors", "writer-llm")
    assert agent.is_target({"agent_id": "writer-llm", "workflow_id": "research-report"})
    assert not agent.is_target({"agent_id": "planner-llm"})
    assert not agent.is_target({})
    assert truth("worker_shortage").is_target({})
    assert not truth("worker_shortage").is_target({"agent_id": "writer-llm"})
    assert not truth("false_alarm", "writer-llm").is_target({})


@pytest.mark.parametrize(
    ("kind", "target"),
    [("agent_errors", "writer-llm"), ("rate_limit", "google"), ("provider_outage", "openai"),
     ("config_change", "triage-llm"), ("malformed_output", "fact-checker"), ("agent_stall", "security-scanner")],
)  # fmt: skip
async def test_what_is_said_to_help_does_help_in_the_demos_world(kind: str, target: str) -> None:
    """Both by its own workflows, with every call of the fault's share counted: none is left once it is done."""
    world = DemoWorld(time_scale=0.1, base_error_rate=0.0)
    spoiled: list[str] = []
    world.spoiled = spoiled.append
    FaultBoard(world).turn(KINDS[kind].fault, on=True, target=target)
    (places,) = [h.places for h in truth(kind, target).helps if h.action == "switch_fallback"]
    before = await _run(world, ())
    assert spoiled
    spoiled.clear()
    assert await _run(world, places) == {ExecutionStatus.COMPLETED}
    assert not spoiled, f"{before} before"


async def _run(world: DemoWorld, forced: Any) -> set[ExecutionStatus]:
    found, emitter = registry(world), EventEmitter()
    controls = Controls(found)
    engine = Engine(found, emitter, controls, workers=20)
    for number, name in enumerate(sorted(forced)):
        workflow_id, _, step_id = name.partition("/")
        arguments = {"workflow_id": workflow_id, "step_id": step_id, "forced": True}
        await controls.apply(_change(number, arguments))
    ids = [await engine.submit(name, {"subject": "x"}) for name in PLANT.workflows for _ in range(3)]
    async with asyncio.timeout(30):
        ended = {(await engine.wait(each)).status for each in ids}
    await engine.aclose()
    await emitter.aclose()
    return ended


def _change(number: int, arguments: dict[str, Any]) -> Any:
    from datetime import UTC, datetime

    from awf.core.types import ChangeId, ControlChange, ControlKind

    kind = ControlKind.SET_FALLBACK_FORCED
    return ControlChange(ChangeId(f"c{number}"), kind, arguments, number + 1, "a test", datetime.now(UTC))
