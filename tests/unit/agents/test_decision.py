from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from awf.agents.decision import decide, worst_severity
from awf.core.incidents import CauseClass, Hypothesis, Target, Verdict
from awf.remediation.playbook import Play, PlaybookRules
from awf.remediation.policy import Rule, RulePolicy
from awf.remediation.runner import ActionRunner
from awf.state.state import State
from awf.testing import FakeClock, FakeControls, FakeTelemetry
from tests.unit.agents._system import alert, engine
from tests.unit.remediation._scene import Scene
from tests.unit.remediation._scripts import load, runner_with, write

WRITER = Hypothesis(
    CauseClass.AGENT_ERROR, Target(agent_id="writer"), 0.9, "writer fails",
    affected=(Target("research", "draft", "writer"),),
)  # fmt: skip


PLAYBOOK = PlaybookRules()


@pytest.fixture
async def runner() -> AsyncIterator[ActionRunner]:
    clock = FakeClock()
    async with await State.open(clock=clock) as state:
        yield Scene(state, clock, FakeTelemetry(clock), FakeControls(engine()), []).runner()


async def test_the_first_candidate_that_can_be_planned_is_taken(runner: ActionRunner) -> None:
    decision = await decide(WRITER, [alert()], runner, PLAYBOOK)
    assert decision is not None
    assert decision.call.name == "switch_fallback"


async def test_an_agent_without_a_fallback_is_left_to_people(runner: ActionRunner) -> None:
    place = Target("research", "fetch", "fetcher")
    decision = await decide(replace(WRITER, target=place, affected=(place,)), [alert()], runner, PLAYBOOK)
    assert decision is not None
    assert decision.call.name == "notify_oncall"
    assert [line.split(":")[0] for line in decision.considered] == ["switch_fallback", "disable_agent"]


async def test_a_play_of_ones_own_comes_before_the_built_in_ones(runner: ActionRunner) -> None:
    play = Play(name="slow is fine", cause=(CauseClass.AGENT_ERROR,), actions=("increase_timeout",))
    decision = await decide(WRITER, [alert()], runner, PlaybookRules([play]))
    assert decision is not None
    assert (decision.call.name, decision.play) == ("increase_timeout", "slow is fine")


async def test_a_denied_candidate_gives_way_to_the_next(runner: ActionRunner) -> None:
    runner._policy = RulePolicy(
        [Rule(name="no switching", action=("switch_fallback",), decision=Verdict.DENY)], default=Verdict.ALLOW
    )
    decision = await decide(WRITER, [alert()], runner, PLAYBOOK)
    assert decision is not None
    assert decision.call.name == "disable_agent"
    assert "denied by policy" in decision.considered[0]


@pytest.mark.parametrize("annotation", ["awf_action", "lambda_function"])
async def test_an_alerts_own_action_is_one_more_candidate_after_the_playbooks(
    runner: ActionRunner, annotation: str
) -> None:
    asking = replace(alert(), annotations={annotation: "increase_timeout"})
    surge = replace(WRITER, cause=CauseClass.TOKEN_SURGE)
    decision = await decide(surge, [asking], runner, PLAYBOOK)
    assert decision is not None
    assert (decision.call.name, decision.play) == ("increase_timeout", f"the alert's {annotation}")
    decision = await decide(WRITER, [asking], runner, PLAYBOOK)
    assert decision is not None
    assert decision.call.name == "switch_fallback"


@pytest.mark.parametrize("action", ["rm_rf", "increase_timeout"])
async def test_an_unconvincing_cause_or_an_unknown_action_only_tells_people(
    runner: ActionRunner, action: str
) -> None:
    asking = replace(alert(), annotations={"awf_action": action})
    decision = await decide(replace(WRITER, score=0.4), [asking], runner, PLAYBOOK)
    assert decision is not None
    assert decision.call.name == "notify_oncall"


def test_the_worst_severity_counts_and_unknown_ones_least() -> None:
    assert worst_severity([alert(severity="warning"), alert(severity="critical")]) == "critical"
    assert worst_severity([alert(severity="apocalypse")]) == "none"
    assert worst_severity([]) == "none"


async def test_an_alert_cannot_name_an_action_of_the_operators_own(tmp_path: Path) -> None:
    own = load(write(tmp_path, "true", network=True))
    clock = FakeClock()
    async with await State.open(clock=clock) as state:
        scene = Scene(state, clock, FakeTelemetry(clock), FakeControls(engine()), [])
        runner = runner_with(scene, own)
        asking = replace(alert(), annotations={"awf_action": "restart_pods"})
        surge = replace(WRITER, cause=CauseClass.TOKEN_SURGE)
        decision = await decide(surge, [asking], runner, PLAYBOOK)
        assert decision is not None
        assert decision.call.name == "notify_oncall"
        play = Play(name="ours", cause=(CauseClass.TOKEN_SURGE,), actions=("restart_pods",))
        decision = await decide(surge, [alert()], runner, PlaybookRules([play]))
        assert decision is not None
        assert decision.call.name == "restart_pods"
