"""What the watcher measures about itself: time to recovery, failures by stage, approvals about to expire."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from awf.agents.investigation import Investigator
from awf.agents.watcher import WatcherConfig
from awf.core import semconv as sc
from awf.core.counters import Distribution
from awf.core.incident_history import stages_of
from awf.core.incidents import IncidentStatus
from tests.unit.agents._system import ALERT_AT, NOW, System, alert, failing_writer, healthy, queue

WRITER = alert(agent_id="writer")
SOON = NOW + timedelta(seconds=1)


def recoveries(system: System) -> dict[str, Distribution]:
    found = system.counters.distributions()
    return {
        labels["status"]: each
        for name, labels, each in found
        if name == sc.WATCHER_RECOVERY_MS and any(each.counts)
    }


def failed(system: System) -> set[str]:
    found = system.counters.snapshot()
    return {labels["stage"] for name, labels, value in found if name == sc.WATCHER_FAILURES and value > 0}


async def test_recovery_is_timed_from_the_alerts_start_to_the_verified_end(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(WRITER)
    assert incident.resolved_at is not None
    found = recoveries(system)["resolved"]
    assert (sum(found.counts), found.sum) == (1, (incident.resolved_at - ALERT_AT).total_seconds() * 1000)
    await system.alert(replace(WRITER, status="resolved"))  # news of what is over is no second recovery
    assert sum(recoveries(system)["resolved"].counts) == 1


@pytest.mark.parametrize("year", [1, 9999])
async def test_an_alert_from_an_absurd_time_does_not_distort_the_time_to_recovery(
    system: System, year: int
) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(replace(WRITER, starts_at=WRITER.starts_at.replace(year=year)))
    if incident.resolved_at is None:
        incident = await system.alert(replace(incident.alerts[0], status="resolved"))
    (found,) = recoveries(system).values()
    assert incident.resolved_at is not None
    assert found.sum == (incident.resolved_at - incident.opened_at).total_seconds() * 1000


async def test_an_escalated_incident_recovers_when_its_alerts_resolve(system: System) -> None:
    failing_writer(system.telemetry)
    incident = await system.alert(WRITER)
    assert incident.status is IncidentStatus.ESCALATED
    assert recoveries(system) == {}
    await system.alert(replace(WRITER, status="resolved"))
    assert set(recoveries(system)) == {"escalated"}


async def test_a_false_alarm_is_no_recovery(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    incident = await system.alert(alert(agent_id="checker"))
    assert incident.status is IncidentStatus.FALSE_ALARM
    assert recoveries(system) == {}


async def test_investigations_are_timed(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    await system.alert(WRITER)
    found = {name: each for name, _, each in system.counters.distributions()}
    assert sum(found[sc.WATCHER_INVESTIGATION_MS].counts) == 1


async def test_detection_and_every_stage_are_timed(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(WRITER)
    found = {(name, labels.get("stage")): each for name, labels, each in system.counters.distributions()}
    assert found[sc.WATCHER_DETECTION_MS, None].sum == (NOW - ALERT_AT).total_seconds() * 1000
    stages = stages_of(incident)
    assert [each.status for each in stages] == ["investigating", "acting", "verifying"]
    timed = {stage: each.sum for (name, stage), each in found.items() if name == sc.WATCHER_STAGE_MS}
    assert timed == {each.status: each.duration_ms for each in stages}
    assert incident.resolved_at is not None
    assert sum(timed.values()) == (incident.resolved_at - incident.opened_at).total_seconds() * 1000


async def test_an_investigation_that_breaks_is_a_failure_of_its_stage(system: System) -> None:
    class Broken(Investigator):
        async def investigate(self, alerts: Any) -> Any:
            raise RuntimeError("boom")

    system.start(investigator=Broken(system.telemetry, system.clock))
    incident = await system.alert(WRITER)
    assert incident.status is IncidentStatus.ESCALATED
    assert failed(system) == {"investigating"}


async def test_telemetry_that_cannot_be_queried_is_a_failure(system: System) -> None:
    system.telemetry.down |= {"metrics", "logs", "traces"}
    await system.alert(WRITER)
    assert failed(system) == {"querying"}


async def test_an_alert_that_cannot_be_stored_is_a_failure_and_the_sender_hears_of_it(system: System) -> None:
    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(system.state.incidents, name)

        async def at_desk(self, *_: Any) -> Any:
            raise OSError("disk full")

    system.start(incidents=Full())
    with pytest.raises(OSError, match="disk full"):
        await system.watcher.handle_alert([WRITER], b"{}")
    assert failed(system) == {"receiving"}


async def test_on_call_that_cannot_be_told_is_a_failure(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    system.people.are_away = True
    await system.alert(alert("SomethingElse", pod="web-1"))
    assert "notifying" in failed(system)


async def test_the_first_approval_to_expire_is_shown_and_nothing_when_none_waits(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    system.start(config=WatcherConfig(may_act=False, approval_ttl_s=600.0))
    await system.alert(WRITER)
    await system.watcher.sweep()
    before = system.counters.get(sc.WATCHER_APPROVAL_EXPIRES)
    assert 0 < before <= 600
    system.clock.advance(60)
    await system.watcher.sweep()
    assert system.counters.get(sc.WATCHER_APPROVAL_EXPIRES) == before - 60
    (approval,) = await system.watcher.get_pending_approvals()
    await system.watcher.reject_action(approval.id, by="ana", reason="no")
    await system.watcher.settled()
    assert sc.WATCHER_APPROVAL_EXPIRES not in {name for name, _, _ in system.counters.snapshot()}


async def test_a_watcher_that_has_begun_shows_zeros_with_bounded_labels(system: System) -> None:
    await system.watcher.start()
    await asyncio.sleep(0)
    await system.watcher.aclose()
    shown = [(name, labels) for name, labels, value in system.counters.snapshot() if value == 0]
    assert {labels["stage"] for name, labels in shown if name == sc.WATCHER_FAILURES} == set(
        sc.WATCHER_STAGES
    )
    assert {labels["status"] for name, labels in shown if name == sc.WATCHER_INCIDENTS} == set(IncidentStatus)
    histograms = {name for name, _, _ in system.counters.distributions()}
    assert histograms == {sc.WATCHER_INVESTIGATION_MS, sc.WATCHER_DETECTION_MS, sc.WATCHER_RECOVERY_MS}
