"""Two watchers on one state: one of them works on an incident, and the other goes on when it falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from awf.agents.investigation import Investigator
from awf.agents.watcher import WatcherAgent
from awf.core.incidents import ActionOutcome, IncidentStatus
from awf.core.ports import Changed
from awf.testing import FakeControls
from tests.unit.agents._system import (
    BEGIN,
    FAULT_AT,
    NOW,
    System,
    agent_works,
    alert,
    engine,
    failing_writer,
    failures,
    healthy,
    queue,
    step_works,
)

WRITER = alert(agent_id="writer")
SATURATED = alert("AWFWorkersSaturated", severity="warning")
LAPSED_S = 3601.0
SOON = NOW + timedelta(seconds=1)


@pytest.fixture
async def other(system: System) -> AsyncIterator[WatcherAgent]:
    """A second watcher, of a service of its own."""
    first = system.watcher
    found = system.start(name="other")
    system.watcher = first
    yield found
    await found.aclose()


class Gate(Investigator):
    """An investigator that stops where its service falls silent."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.is_reached, self.may_pass = asyncio.Event(), asyncio.Event()

    async def investigate(self, alerts: Any) -> Any:
        found = await super().investigate(alerts)
        self.is_reached.set()
        await self.may_pass.wait()
        return found


async def test_the_other_leaves_alone_what_one_works_on(system: System, other: WatcherAgent) -> None:
    gate = Gate(system.telemetry, system.clock)
    failing_writer(system.telemetry, recovers_at=SOON)
    working = system.start(investigator=gate)
    await working.handle_alert([WRITER], b"{}")
    await gate.is_reached.wait()
    await other.sweep()
    await other.execute_remediation((await system.incidents())[0].id)
    assert len((await system.incidents())[0].timeline) == 1
    gate.may_pass.set()
    await working.settled()
    assert (await system.incidents())[0].status is IncidentStatus.RESOLVED


async def test_a_watcher_that_was_only_slow_finds_its_incident_finished_and_does_nothing(
    system: System, other: WatcherAgent
) -> None:
    gate = Gate(system.telemetry, system.clock)
    failing_writer(system.telemetry, recovers_at=NOW + timedelta(seconds=LAPSED_S))
    slow = system.start(investigator=gate)
    await slow.handle_alert([WRITER], b"{}")
    await gate.is_reached.wait()
    system.clock.advance(LAPSED_S)
    await other.sweep()
    await other.settled()
    (finished,) = await system.incidents()
    assert finished.cause is not None
    gate.may_pass.set()
    await slow.settled()
    assert await system.incidents() == [finished]
    assert len(system.controls.changes) <= 1


async def test_a_watcher_that_was_slow_at_the_order_itself_orders_nothing(
    system: System, other: WatcherAgent
) -> None:
    """It decided, and then slept past its lease: the intent is refused, so nothing is ordered."""
    incidents = system.state.incidents
    is_reached, may_pass = asyncio.Event(), asyncio.Event()

    class Sleepy:
        def __getattr__(self, name: str) -> Any:
            return getattr(incidents, name)

        async def change(self, *arguments: Any, **options: Any) -> Changed:
            changed = await incidents.change(*arguments, **options)
            if changed.after.status is IncidentStatus.ACTING:
                is_reached.set()
                await may_pass.wait()
            return changed

    class Loud(FakeControls):
        async def submit(self, *arguments: Any, **options: Any) -> Any:
            raise AssertionError("the slow one gives an order")

    failing_writer(system.telemetry, recovers_at=SOON)
    slow = system.start(incidents=Sleepy(), controls=Loud(engine()))
    await slow.handle_alert([WRITER], b"{}")
    await is_reached.wait()
    system.clock.advance(LAPSED_S)
    await other.sweep()
    await other.settled()
    (finished,) = await system.incidents()
    assert finished.outcome is ActionOutcome.REFUSED, "decided an hour ago: void"
    may_pass.set()
    await slow.settled()
    assert await system.incidents() == [finished]
    assert system.controls.changes == []


async def test_an_approval_given_to_the_other_is_carried_out_by_it(
    system: System, other: WatcherAgent
) -> None:
    healthy(system.telemetry)
    queue(
        system.telemetry, (BEGIN, 0.0), (FAULT_AT, 12.0), (NOW - timedelta(seconds=10), 40.0),
        (NOW + timedelta(seconds=30), 3.0),
    )  # fmt: skip
    incident = await system.alert(SATURATED)
    assert incident.status is IncidentStatus.AWAITING_APPROVAL
    assert incident.approval_id is not None
    await other.approve_action(incident.approval_id, by="ana")
    await other.settled()
    assert (await system.state.incidents.get(incident.id)).status is IncidentStatus.RESOLVED
    assert system.kinds == ["set_worker_limit"]


async def test_a_storm_that_reaches_both_at_once_opens_one_incident_an_alert(
    system: System, other: WatcherAgent
) -> None:
    await system.state.switch.set_paused(True, by="test")
    storm = [alert("Storm", agent_id=f"agent-{number % 15}", pod=f"pod-{number}") for number in range(30)]
    halves = [storm[number::3] for number in range(3)]
    await asyncio.gather(
        *(watcher.handle_alert(half, b"{}") for half in halves for watcher in (system.watcher, other))
    )
    await asyncio.gather(system.watcher.settled(), other.settled())
    incidents = await system.incidents()
    held = sorted(each.fingerprint for incident in incidents for each in incident.alerts)
    assert held == sorted(each.fingerprint for each in storm)
    assert len(incidents) == 15, "alerts of one place join one incident"


async def test_of_two_that_decide_about_the_same_cause_one_acts_and_the_other_waits_for_it(
    system: System, other: WatcherAgent
) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    second = _elsewhere(alert("AWFAgentErrors", pod="p"))
    first_gate, second_gate = (Gate(system.telemetry, system.clock) for _ in range(2))
    one = system.start(name="one", investigator=first_gate)
    two = system.start(name="two", investigator=second_gate)
    await asyncio.gather(one.handle_alert([WRITER], b"{}"), two.handle_alert([second], b"{}"))
    async with asyncio.timeout(10):
        await asyncio.gather(first_gate.is_reached.wait(), second_gate.is_reached.wait())
    for gate in (first_gate, second_gate):
        gate.may_pass.set()
    await asyncio.gather(one.settled(), two.settled())
    await other.sweep()
    await other.settled()
    incidents = await system.incidents()
    assert len(incidents) == 2
    assert [each.status for each in incidents] == [IncidentStatus.RESOLVED] * 2
    assert system.kinds == ["set_fallback_forced"]
    assert any("this one waits for it" in entry.text for each in incidents for entry in each.timeline)


def _elsewhere(one: Any) -> Any:
    """An alert that names no place, so that only its cause shows what it is about."""
    return replace(one, labels={"alertname": "AWFAgentErrors", "severity": "critical"})


async def test_one_that_waits_for_another_is_carried_on_by_any_service(
    system: System, other: WatcherAgent
) -> None:
    """What an incident waits for is stored with it."""
    healthy(system.telemetry, except_agents=("writer",))
    queue(system.telemetry)
    agent_works(system.telemetry, "writer", "anthropic", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.0, 0.95))
    step_works(system.telemetry, "research", "draft", "writer", (BEGIN, 0.5, 600.0))
    failures(system.telemetry, "research", "draft", "writer", "upstream_error", provider="anthropic")
    await system.state.switch.set_paused(True, by="test")
    leader = await system.alert(WRITER)
    follower = await system.alert(_elsewhere(alert("AWFAgentErrors", pod="p")))
    assert (follower.follows, follower.action) == (leader.id, None)
    length = len(follower.timeline)
    await other.sweep()
    await other.settled()
    assert len((await system.state.incidents.get(follower.id)).timeline) == length, "nothing new to say"
    await system.alert(replace(WRITER, status="resolved"))
    await other.sweep()
    await other.settled()
    after = await system.state.incidents.get(follower.id)
    assert (after.status, after.follows) == (IncidentStatus.RESOLVED, None)


async def test_an_alert_that_outlives_its_incident_is_looked_at_again_by_one(
    system: System, other: WatcherAgent
) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    await system.alert(WRITER)
    await system.alert(alert("Custom", workflow_id="research", step_id="draft"))
    await system.alert(replace(WRITER, status="resolved"))
    system.clock.advance(601)
    await asyncio.gather(system.watcher.sweep(), other.sweep())
    await asyncio.gather(system.watcher.settled(), other.settled())
    assert len(await system.incidents()) == 2
