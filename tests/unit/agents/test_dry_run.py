"""A dry run: everything is decided and recorded, and nothing is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from awf.agents.watcher import WatcherConfig
from awf.core.incidents import Incident, IncidentStatus
from tests.unit.agents._system import BEGIN, FAULT_AT, NOW, System, alert, failing_writer, healthy, queue

DRY = WatcherConfig(dry_run=True)
WRITER = alert(agent_id="writer")
SATURATED = alert("AWFWorkersSaturated", severity="warning")


def last(incident: Incident) -> str:
    return incident.timeline[-1].text


@pytest.fixture
def failing(system: System) -> System:
    failing_writer(system.telemetry, recovers_at=NOW + timedelta(seconds=1))
    system.start(config=DRY)
    return system


async def test_what_would_be_done_is_said_with_the_rule_and_nothing_is_done(failing: System) -> None:
    incident = await failing.alert(WRITER)
    assert incident.status is IncidentStatus.HELD
    assert last(incident).startswith("dry run: would have done switch_fallback: ")
    assert incident.timeline[-1].detail["rule"]
    assert incident.action is not None
    assert failing.controls.changes == []
    assert failing.people.told == []
    assert (await failing.state.audit.list()).items == ()


async def test_it_is_said_once_however_often_it_is_looked_at_and_the_alert_repeated(failing: System) -> None:
    before = await failing.alert(WRITER)
    for _ in range(3):
        await failing.watcher.handle_alert([WRITER], b"{}")
        await failing.watcher.sweep()
        await failing.watcher.settled()
    assert await failing.incidents() == [before]


async def test_the_incident_closes_with_its_alerts(failing: System) -> None:
    await failing.alert(WRITER)
    incident = await failing.alert(replace(WRITER, status="resolved"))
    assert incident.status is IncidentStatus.RESOLVED
    assert failing.controls.changes == []


async def test_nobody_is_asked_for_an_approval_and_it_says_that_one_would_be(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry, (BEGIN, 0.0), (FAULT_AT, 12.0), (NOW - timedelta(seconds=10), 40.0))
    system.start(config=DRY)
    incident = await system.alert(SATURATED)
    assert last(incident).startswith("dry run: would have asked whether to do scale_workers: ")
    assert await system.state.approvals.pending() == []


async def test_on_call_is_not_told_of_what_nobody_can_explain(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    system.start(config=DRY)
    incident = await system.alert(alert("SomethingElse", pod="web-1"))
    assert last(incident).startswith("dry run: would have done notify_oncall: ")
    assert system.people.told == []


async def test_what_was_approved_before_is_not_carried_out(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry, (BEGIN, 0.0), (FAULT_AT, 12.0), (NOW - timedelta(seconds=10), 40.0))
    incident = await system.alert(SATURATED)
    assert incident.approval_id is not None
    watcher = system.start(config=DRY)
    await watcher.approve_action(incident.approval_id, by="ana")
    await watcher.settled()
    await watcher.sweep()
    await watcher.settled()
    assert system.controls.changes == []


async def test_without_it_the_watcher_looks_anew_and_acts(failing: System) -> None:
    incident = await failing.alert(WRITER)
    watcher = failing.start()
    await watcher.sweep()
    await watcher.settled()
    assert (await failing.state.incidents.get(incident.id)).status is IncidentStatus.RESOLVED
    assert failing.kinds == ["set_fallback_forced"]
