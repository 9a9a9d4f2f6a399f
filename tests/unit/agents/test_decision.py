from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from awf.agents.decision import CANDIDATES, decide, worst_severity
from awf.core.incidents import CauseClass, Hypothesis, Target, Verdict
from awf.remediation.policy import Rule, RulePolicy
from awf.remediation.runner import ActionRunner
from awf.state.state import State
from awf.testing import FakeClock, FakeControls, FakeTelemetry
from tests.unit.agents._system import alert, engine
from tests.unit.remediation._scene import SPECS, Scene

WRITER = Hypothesis(
    CauseClass.AGENT_ERROR, Target(agent_id="writer"), 0.9, "writer fails",
    affected=(Target("research", "draft", "writer"),),
)  # fmt: skip


@pytest.fixture
async def runner() -> AsyncIterator[ActionRunner]:
    clock = FakeClock()
    async with await State.open(clock=clock) as state:
        yield Scene(state, clock, FakeTelemetry(clock), FakeControls(engine()), []).runner()


def test_every_cause_has_its_row_and_every_candidate_exists() -> None:
    assert set(CANDIDATES) == set(CauseClass)
    assert {name for names in CANDIDATES.values() for name in names} <= set(SPECS)


async def test_the_first_candidate_that_can_be_planned_is_taken(runner: ActionRunner) -> None:
    decision = await decide(WRITER, [alert()], runner)
    assert decision is not None
    assert decision.call.name == "switch_fallback"


async def test_an_agent_without_a_fallback_is_left_to_people(runner: ActionRunner) -> None:
    place = Target("research", "fetch", "fetcher")
    decision = await decide(replace(WRITER, target=place, affected=(place,)), [alert()], runner)
    assert decision is not None
    assert decision.call.name == "notify_oncall"
    assert [line.split(":")[0] for line in decision.considered] == ["switch_fallback", "disable_agent"]


async def test_a_denied_candidate_gives_way_to_the_next(runner: ActionRunner) -> None:
    runner._policy = RulePolicy(
        [Rule(name="no switching", action=("switch_fallback",), decision=Verdict.DENY)], default=Verdict.ALLOW
    )
    decision = await decide(WRITER, [alert()], runner)
    assert decision is not None
    assert decision.call.name == "disable_agent"
    assert "denied by policy" in decision.considered[0]


async def test_an_alerts_own_action_is_one_more_candidate_after_the_table(runner: ActionRunner) -> None:
    asking = replace(alert(), annotations={"awf_action": "increase_timeout"})
    surge = replace(WRITER, cause=CauseClass.TOKEN_SURGE)
    decision = await decide(surge, [asking], runner)
    assert decision is not None
    assert decision.call.name == "increase_timeout"
    decision = await decide(WRITER, [asking], runner)
    assert decision is not None
    assert decision.call.name == "switch_fallback"


@pytest.mark.parametrize("action", ["rm_rf", "increase_timeout"])
async def test_an_unconvincing_cause_or_an_unknown_action_only_tells_people(
    runner: ActionRunner, action: str
) -> None:
    asking = replace(alert(), annotations={"awf_action": action})
    decision = await decide(replace(WRITER, score=0.4), [asking], runner)
    assert decision is not None
    assert decision.call.name == "notify_oncall"


def test_the_worst_severity_counts_and_unknown_ones_least() -> None:
    assert worst_severity([alert(severity="warning"), alert(severity="critical")]) == "critical"
    assert worst_severity([alert(severity="apocalypse")]) == "none"
    assert worst_severity([]) == "none"
