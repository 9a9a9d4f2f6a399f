"""One incident from its alert to its end, on state in memory."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from awf.agents.investigation import Investigator
from awf.agents.watcher import WatcherConfig
from awf.core import semconv as sc
from awf.core.incidents import (
    ActionOutcome,
    ApprovalStatus,
    CauseClass,
    Incident,
    IncidentStatus,
    Verdict,
)
from awf.core.ports import Changed
from awf.core.types import AckStatus, ControlAck, ControlChange, EngineId
from awf.errors import Conflict, Expired, NotFound
from awf.generate.output import rule_groups
from awf.remediation.policy import Rule, RulePolicy
from awf.testing import FakeClock, FakeControls
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
SOON = NOW + timedelta(seconds=1)
ABOUT_TELEMETRY = [rule for group in rule_groups().values() for rule in group.alerts if rule.component]


def kinds(incident: Incident) -> list[str]:
    return [entry.kind for entry in incident.timeline]


def text(incident: Incident, kind: str) -> str:
    return " | ".join(entry.text for entry in incident.timeline if entry.kind == kind)


def shortage(system: System, *, recovers: bool = True) -> None:
    healthy(system.telemetry)
    after = [(NOW + timedelta(seconds=30), 3.0)] if recovers else []
    queue(system.telemetry, (BEGIN, 0.0), (FAULT_AT, 12.0), (NOW - timedelta(seconds=10), 40.0), *after)


async def test_a_failing_agent_is_replaced_by_its_fallback_and_the_incident_resolves(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(WRITER)
    assert incident.status is IncidentStatus.RESOLVED
    assert (incident.cause, incident.outcome) == (CauseClass.AGENT_ERROR, ActionOutcome.VERIFIED)
    assert incident.target is not None
    assert (incident.target.step_id, incident.target.agent_id) == ("draft", "writer")
    assert [change.arguments for change in system.controls.changes] == [
        {"workflow_id": "research", "step_id": "draft", "forced": True}
    ]
    assert kinds(incident) == [
        "alert", "investigation", "decision", "policy", "action", "verification", "annotation", "status",
    ]  # fmt: skip
    assert incident.decided_by == "rules"
    assert incident.resolved_at == system.clock.now()


async def test_the_annotation_carries_the_tags_the_dashboards_ask_for(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(WRITER)
    written, *_ = system.telemetry.written
    assert written["tags"] == ["awf", "remediation", "switch_fallback"]
    assert incident.id in written["text"]


async def test_the_watcher_counts_what_it_did(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    await system.alert(WRITER)
    assert system.counters.get(sc.WATCHER_ALERTS, status="firing") == 1
    assert system.counters.get(sc.WATCHER_INCIDENTS, status="resolved") == 1
    ended = {"action": "switch_fallback", "outcome": "verified", "decided_by": "rules"}
    assert system.counters.get(sc.WATCHER_ACTIONS, **ended) == 1


async def test_an_intent_is_in_the_audit_log_before_the_engines_hear_of_it(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    seen: list[str] = []

    class Watching(FakeControls):
        async def submit(self, *args: Any, **options: Any) -> Any:
            seen.extend(entry.event for entry in (await system.state.audit.list()).items)
            return await super().submit(*args, **options)

    system.controls = Watching(engine())
    system.start()
    await system.alert(WRITER)
    assert seen == ["action.intent"]
    events = [entry.event for entry in (await system.state.audit.list()).items]
    assert events == ["action.effective", "action.applied", "action.intent"]


async def test_an_action_that_does_not_help_is_undone_and_a_person_is_told(system: System) -> None:
    failing_writer(system.telemetry)
    incident = await system.alert(WRITER)
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.UNDONE)
    assert [change.arguments["forced"] for change in system.controls.changes] == [True, False]
    assert len(system.people.pages) == 1


async def test_no_traffic_after_the_action_is_inconclusive_never_success(system: System) -> None:
    failing_writer(system.telemetry)
    system.telemetry = replace(system.telemetry, _series=[])
    healthy(system.telemetry, except_agents=("writer",))
    queue(system.telemetry)
    agent_works(
        system.telemetry, "writer", "anthropic", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.0, 0.95), (SOON, 0.0, 0.0)
    )
    step_works(system.telemetry, "research", "draft", "writer", (BEGIN, 0.5, 600.0), (SOON, 0.0, 0.0))
    system.start()
    incident = await system.alert(WRITER)
    assert (incident.status, incident.outcome) == (IncidentStatus.INCONCLUSIVE, ActionOutcome.INCONCLUSIVE)
    assert "0 of at least 5 runs" in text(incident, "verification")
    assert system.kinds == ["set_fallback_forced"]  # nothing proves that it hurts: it stays, a person looks
    assert len(system.people.pages) == 1


async def test_an_engine_that_does_not_answer_is_inconclusive(system: System) -> None:
    failing_writer(system.telemetry)
    system.controls = FakeControls(engine(), answer=lambda _: None)
    system.start()
    incident = await system.alert(WRITER)
    assert (incident.status, incident.outcome) == (IncidentStatus.INCONCLUSIVE, ActionOutcome.INCONCLUSIVE)
    assert "no answer from engine demo" in text(incident, "action")


async def test_an_engine_that_refuses_is_a_failed_action(system: System) -> None:
    def refuse(change: ControlChange) -> ControlAck:
        return ControlAck(change.id, EngineId("demo"), AckStatus.REFUSED, detail="no such step")

    failing_writer(system.telemetry)
    system.controls = FakeControls(engine(), answer=refuse)
    system.start()
    incident = await system.alert(WRITER)
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.FAILED)
    assert "no such step" in text(incident, "action")


async def test_a_full_queue_asks_and_an_approval_carries_it_out(system: System) -> None:
    shortage(system)
    incident = await system.alert(SATURATED)
    assert incident.status is IncidentStatus.AWAITING_APPROVAL
    assert incident.cause is CauseClass.WORKER_SATURATION
    assert system.controls.changes == []
    approval, *_ = await system.watcher.get_pending_approvals()
    assert approval.action.arguments == {
        "engines": [{"engine_id": "demo", "workers": 8, "workers_before": 4}]
    }
    assert system.counters.get(sc.WATCHER_APPROVALS_PENDING) == 1
    decided = await system.watcher.approve_action(approval.id, by="ana")
    assert decided.status is ApprovalStatus.APPROVED
    await system.watcher.settled()
    incident = await system.state.incidents.get(incident.id)
    assert (incident.status, incident.outcome) == (IncidentStatus.RESOLVED, ActionOutcome.VERIFIED)
    assert incident.decided_by == "ana"
    assert [change.arguments for change in system.controls.changes] == [{"engine_id": "demo", "workers": 8}]
    assert system.counters.get(sc.WATCHER_APPROVALS_PENDING) == 0


async def test_a_policy_may_want_two_people_and_says_what_is_at_stake(system: System) -> None:
    shortage(system)
    rule = Rule(name="two", action=("scale_workers",), decision=Verdict.ASK, approvals=2, role="admin")
    system.start(policy=RulePolicy([rule]))
    incident = await system.alert(SATURATED)
    approval, *_ = await system.watcher.get_pending_approvals()
    assert (approval.quorum, approval.required_role, approval.is_reversible) == (2, "admin", True)
    assert approval.blast_radius
    assert approval.alternatives == ("notify_oncall: comes after it",)
    await system.watcher.approve_action(approval.id, by="ana")
    await system.watcher.settled()
    waiting = await system.state.incidents.get(incident.id)
    assert waiting.status is IncidentStatus.AWAITING_APPROVAL
    assert "approved by ana: 1 of 2" in text(waiting, "approval")
    assert system.controls.changes == []
    await system.watcher.approve_action(approval.id, by="ben")
    await system.watcher.settled()
    incident = await system.state.incidents.get(incident.id)
    assert (incident.status, incident.decided_by) == (IncidentStatus.RESOLVED, "ana, ben")


async def test_a_queue_that_stays_long_means_the_workers_are_taken_back(system: System) -> None:
    shortage(system, recovers=False)
    incident = await system.alert(SATURATED)
    assert incident.approval_id is not None
    await system.watcher.approve_action(incident.approval_id, by="ana")
    await system.watcher.settled()
    incident = await system.state.incidents.get(incident.id)
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.UNDONE)
    assert [change.arguments["workers"] for change in system.controls.changes] == [8, 4]


async def test_a_rejection_changes_nothing_and_says_who_and_why(system: System) -> None:
    shortage(system)
    incident = await system.alert(SATURATED)
    approval_id = incident.approval_id
    assert approval_id is not None
    await system.watcher.reject_action(approval_id, by="ana", reason="we scale down tonight")
    await system.watcher.settled()
    incident = await system.state.incidents.get(incident.id)
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.REJECTED)
    assert "rejected by ana: we scale down tonight" in text(incident, "approval")
    assert system.controls.changes == []
    with pytest.raises(Conflict):
        await system.watcher.approve_action(approval_id, by="ben")


async def test_an_approval_that_nobody_answers_escalates(system: System) -> None:
    shortage(system)
    incident = await system.alert(SATURATED)
    assert incident.approval_id is not None
    await system.watcher.sweep()
    await system.watcher.settled()
    assert system.people.pages == []
    system.clock.advance(3601)
    await system.watcher.sweep()
    await system.watcher.settled()
    incident = await system.state.incidents.get(incident.id)
    assert incident.status is IncidentStatus.ESCALATED
    assert len(system.people.pages) == 1
    assert incident.approval_id is not None
    with pytest.raises(Expired):
        await system.watcher.approve_action(incident.approval_id, by="ana")
    assert system.controls.changes == []


async def test_an_unknown_approval_is_not_found(system: System) -> None:
    with pytest.raises(NotFound):
        await system.watcher.approve_action("apr_none", by="ana")  # type: ignore[arg-type]


async def test_a_paused_watcher_shows_what_it_found_and_does_nothing(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=NOW + timedelta(seconds=100))
    await system.state.switch.set_paused(True, by="ana")
    incident = await system.alert(WRITER)
    assert incident.status is IncidentStatus.HELD
    assert incident.cause is CauseClass.AGENT_ERROR
    assert incident.action is not None
    assert system.controls.changes == []
    await system.watcher.sweep()
    await system.watcher.settled()
    assert system.controls.changes == []
    await system.state.switch.set_paused(False, by="ana")
    await system.watcher.sweep()
    await system.watcher.settled()
    assert system.kinds[0] == "set_fallback_forced"


async def test_an_approval_given_while_paused_waits_for_the_resume(system: System) -> None:
    shortage(system)
    incident = await system.alert(SATURATED)
    await system.state.switch.set_paused(True, by="ben")
    assert incident.approval_id is not None
    await system.watcher.approve_action(incident.approval_id, by="ana")
    await system.watcher.settled()
    assert system.controls.changes == []
    await system.state.switch.set_paused(False, by="ben")
    await system.watcher.sweep()
    await system.watcher.settled()
    assert system.kinds == ["set_worker_limit"]


async def test_a_pause_holds_what_was_decided_before_it(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incidents = system.state.incidents

    class PausingStore:
        def __getattr__(self, name: str) -> Any:
            return getattr(incidents, name)

        async def change(self, *arguments: Any, **options: Any) -> Changed:
            changed = await incidents.change(*arguments, **options)
            if changed.after.timeline[-1].kind == "policy":
                await system.state.switch.set_paused(True, by="ana")
            return changed

    system.start(incidents=PausingStore())
    incident = await system.alert(WRITER)
    assert incident.status is IncidentStatus.ACTING
    assert system.controls.changes == []
    await system.state.switch.set_paused(False, by="ana")
    await system.watcher.sweep()
    await system.watcher.settled()
    assert (await incidents.get(incident.id)).status is IncidentStatus.RESOLVED


async def test_a_closed_incident_asks_nothing(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(WRITER)
    with pytest.raises(Conflict, match="resolved"):
        await system.watcher.request_hitl_approval(incident.id, "why not")


async def test_the_same_delivery_twice_makes_one_incident(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    first = await system.watcher.handle_alert([WRITER], b"{}")
    second = await system.watcher.handle_alert([WRITER], b"{}")
    assert second == {"status": "received", "incidents": [], "duplicates": 1}
    await system.watcher.settled()
    assert len(await system.incidents()) == len(first["incidents"]) == 1
    assert system.kinds == ["set_fallback_forced"]


async def test_another_alert_about_the_same_step_joins_the_open_incident(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    await system.state.switch.set_paused(True, by="ana")
    await system.alert(WRITER)
    slow = alert("AWFStepSlow", severity="warning", workflow_id="research", step_id="draft")
    incident = await system.alert(slow)
    assert len(await system.incidents()) == 1
    assert len(incident.alerts) == 2
    assert incident.severity == "critical"


async def test_two_alerts_of_one_cause_act_once(system: System) -> None:
    """The provider's two agents alert in one delivery: the second incident follows the first."""
    healthy(system.telemetry, except_agents=("classifier", "planner"))
    queue(system.telemetry)
    for agent, step in (("classifier", "classify"), ("planner", "plan")):
        agent_works(
            system.telemetry, agent, "openai", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.0, 1.0), (SOON, 0.0, 0.0)
        )
        step_works(
            system.telemetry,
            "triage",
            step,
            agent,
            (BEGIN, 0.5, 300.0),
            (FAULT_AT, 0.5, 900.0),
            (SOON, 0.5, 400.0),
        )
        failures(system.telemetry, "triage", step, agent, "rate_limit", provider="openai")
    await system.watcher.handle_alert([alert(agent_id="classifier"), alert(agent_id="planner")], b"{}")
    await system.watcher.settled()
    await system.watcher.sweep()
    await system.watcher.settled()
    found = await system.incidents()
    assert [incident.status for incident in found] == [IncidentStatus.RESOLVED] * 2
    assert {incident.cause for incident in found} == {CauseClass.RATE_LIMIT}
    steps = [change.arguments["step_id"] for change in system.controls.changes]
    assert sorted(steps) == ["classify", "plan"]


async def test_an_alert_that_resolves_withdraws_the_question(system: System) -> None:
    shortage(system)
    incident = await system.alert(SATURATED)
    incident = await system.alert(replace(SATURATED, status="resolved"))
    assert incident.status is IncidentStatus.RESOLVED
    assert incident.approval_id is not None
    approval = await system.state.approvals.get(incident.approval_id)
    assert (approval.status, approval.decided_by) == (ApprovalStatus.REJECTED, "awf-watcher")
    assert system.controls.changes == []


async def test_a_resolved_alert_joins_its_closed_incident(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(WRITER)
    again = await system.alert(replace(WRITER, status="resolved"))
    assert again.id == incident.id
    assert again.status is IncidentStatus.RESOLVED
    assert again.timeline[-1].text.endswith("has resolved")  # without the summary of what is over


async def test_a_resolved_alert_nobody_knows_opens_nothing(system: System) -> None:
    answer = await system.watcher.handle_alert([replace(WRITER, status="resolved")], b"{}")
    assert answer["incidents"] == []
    assert await system.incidents() == []


async def test_the_cooldown_stops_a_second_action_on_the_same_step(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    await system.alert(WRITER)
    system.clock.advance(30)
    failures(system.telemetry, "research", "draft", "writer", "upstream_error")
    again = replace(WRITER, starts_at=system.clock.now())
    incident = await system.alert(again)
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.REFUSED)
    assert "cooldown" in text(incident, "action")
    assert system.kinds == ["set_fallback_forced"]


async def test_a_cause_that_nothing_shows_is_escalated_not_guessed(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    incident = await system.alert(alert("SomethingElse", pod="web-1"))
    assert incident.cause is CauseClass.UNKNOWN
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.NOTIFIED)
    assert system.controls.changes == []
    assert len(system.people.pages) == 1


async def test_an_alert_cannot_name_a_target_that_was_never_observed(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    forged = alert(agent_id="checker")
    forged = replace(forged, fingerprint="x", annotations={"awf_action": "disable_agent"})
    forged = replace(forged, labels={**forged.labels, "agent_id": "root"})
    incident = await system.alert(forged)
    assert incident.cause is CauseClass.UNKNOWN
    assert incident.action is not None
    assert incident.action.name == "notify_oncall"
    assert system.controls.changes == []


async def test_a_condition_that_never_held_is_a_false_alarm(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    incident = await system.alert(alert(agent_id="checker"))
    assert incident.status is IncidentStatus.FALSE_ALARM
    assert system.controls.changes == []
    assert system.people.pages == []


async def test_without_a_webhook_secret_everything_is_asked(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    system.start(config=WatcherConfig(may_act=False))
    incident = await system.alert(WRITER)
    assert incident.status is IncidentStatus.AWAITING_APPROVAL
    assert "no webhook secret" in text(incident, "approval")
    assert system.controls.changes == []


async def test_telemetry_that_is_down_leads_to_a_person(system: System) -> None:
    system.telemetry.down |= {"metrics", "logs", "traces"}
    incident = await system.alert(WRITER)
    assert (incident.cause, incident.outcome) == (CauseClass.UNKNOWN, ActionOutcome.NOTIFIED)
    looks = [entry for entry in incident.timeline if entry.kind == "investigation"]
    assert len(looks) == WatcherConfig().looks
    assert len(looks[-1].detail["not_looked_at"]) == 14


async def test_a_cause_that_telemetry_shows_only_later_is_found_on_the_second_look(system: System) -> None:
    class MendingClock(FakeClock):
        async def sleep(self, seconds: float) -> None:
            system.telemetry.down.clear()
            await super().sleep(seconds)

    system.clock = system.telemetry.clock = MendingClock(system.clock.now())
    failing_writer(system.telemetry, recovers_at=NOW + timedelta(seconds=15))
    system.telemetry.down |= {"metrics", "logs", "traces"}
    system.start()
    incident = await system.alert(WRITER)
    assert "looking again in 10 s" in text(incident, "investigation")
    assert (incident.cause, incident.outcome) == (CauseClass.AGENT_ERROR, ActionOutcome.VERIFIED)


@pytest.mark.parametrize(
    "stage", ["alert", "investigation", "decision", "policy", "order", "action", "verification", "annotation"]
)
async def test_a_watcher_killed_after_any_stage_acts_exactly_once(system: System, stage: str) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incidents, controls = system.state.incidents, system.controls

    class DyingStore:
        def __getattr__(self, name: str) -> Any:
            return getattr(incidents, name)

        async def at_desk(self, work: Any) -> Any:
            placed = await incidents.at_desk(work)
            if stage == "alert":
                raise asyncio.CancelledError
            return placed

        async def change(self, *arguments: Any, **options: Any) -> Changed:
            changed = await incidents.change(*arguments, **options)
            if changed.after.timeline[-1].kind == stage:
                raise asyncio.CancelledError
            return changed

    class DyingControls:
        async def submit(self, *args: Any, **options: Any) -> Any:
            outcome = await controls.submit(*args, **options)
            if stage == "order":
                raise asyncio.CancelledError
            return outcome

        async def engines(self) -> Any:
            return await controls.engines()

    doomed = system.start(incidents=DyingStore(), controls=DyingControls())
    with suppress(asyncio.CancelledError):
        await doomed.handle_alert([WRITER], b"{}")
    await doomed.settled()
    incident, *_ = await system.incidents()
    assert incident.status.is_open

    restarted = system.start()
    await restarted.sweep()
    await restarted.settled()
    incident = await incidents.get(incident.id)
    assert (incident.status, incident.outcome) == (IncidentStatus.RESOLVED, ActionOutcome.VERIFIED)
    assert system.kinds == ["set_fallback_forced"]


async def test_untrusted_text_is_cleaned_and_bounded(system: System) -> None:
    healthy(system.telemetry)
    nasty = replace(
        WRITER,
        annotations={"summary": "\x1b[31mred\u202e\nnext" + "x" * 5000, **{f"k{n}": "v" for n in range(99)}},
    )
    incident = await system.alert(nasty)
    summary = incident.alerts[0].annotations["summary"]
    assert "\x1b" not in summary
    assert "\u202e" not in summary
    assert len(summary) <= 1000
    assert len(incident.alerts[0].annotations) == 64
    json.dumps(incident.alerts[0].annotations)


async def test_the_public_methods_work_alone(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    found = await system.watcher.investigate_alert(WRITER)
    decision = await system.watcher.determine_action(found, [WRITER])
    assert decision is not None
    assert decision.call.name == "switch_fallback"
    await system.state.switch.set_paused(True, by="ana")
    incident = await system.alert(WRITER)
    approval = await system.watcher.request_hitl_approval(incident.id, "ana wants to see it")
    assert (await system.watcher.get_pending_approvals())[0].id == approval.id
    await system.state.switch.set_paused(False, by="ana")
    await system.watcher.approve_action(approval.id, by="ana")
    incident = await system.watcher.execute_remediation(incident.id)
    assert incident.status is IncidentStatus.RESOLVED


async def test_late_news_of_a_resolved_incident_joins_it_and_a_recurrence_does_not(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(WRITER)
    slow = alert("AWFStepSlow", severity="warning", workflow_id="research", step_id="draft")
    assert (await system.alert(slow)).id == incident.id
    system.clock.advance(600)
    again = await system.alert(replace(slow, fingerprint="y", starts_at=system.clock.now()))
    assert again.id != incident.id
    assert system.kinds == ["set_fallback_forced"]


async def test_an_alert_whose_window_still_holds_what_a_fix_ended_joins_the_fixed_incident(
    system: System,
) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    fixed = await system.alert(WRITER)
    assert fixed.resolved_at is not None
    system.clock.advance(90)
    slow = alert("AWFStepSlow", severity="warning", workflow_id="research", step_id="draft")
    echo = replace(slow, starts_at=fixed.resolved_at + timedelta(seconds=45))
    assert (await system.alert(echo)).id == fixed.id
    news = replace(slow, fingerprint="z", starts_at=fixed.resolved_at + timedelta(seconds=75))
    assert (await system.alert(news)).id != fixed.id


async def test_a_question_asked_just_before_a_kill_is_not_asked_twice(system: System) -> None:
    shortage(system)
    incidents = system.state.incidents

    class DyingStore:
        def __getattr__(self, name: str) -> Any:
            return getattr(incidents, name)

        async def change(self, incident_id: Any, make: Any, **options: Any) -> Changed:
            if make(await incidents.get(incident_id)).status is IncidentStatus.AWAITING_APPROVAL:
                raise asyncio.CancelledError
            return await incidents.change(incident_id, make, **options)

    doomed = system.start(incidents=DyingStore())
    await doomed.handle_alert([SATURATED], b"{}")
    await doomed.settled()
    asked, *_ = await system.state.approvals.pending()
    await system.start().sweep()
    await system.watcher.settled()
    (incident,) = await system.incidents()
    assert incident.status is IncidentStatus.AWAITING_APPROVAL
    assert [each.id for each in await system.watcher.get_pending_approvals()] == [asked.id]
    assert incident.approval_id == asked.id


async def test_news_of_an_earlier_firing_does_not_end_the_present_one(system: System) -> None:
    system.telemetry.down |= {"metrics", "logs", "traces"}
    await system.state.switch.set_paused(True, by="test")
    held = await system.alert(WRITER)
    earlier = replace(WRITER, status="resolved", starts_at=WRITER.starts_at - timedelta(minutes=5))
    after = await system.alert(earlier)
    assert (after.id, after.status) == (held.id, IncidentStatus.HELD)
    assert [each.status for each in after.alerts] == ["firing"]
    assert "an earlier time" in after.timeline[-1].text


async def test_an_alert_that_outlives_its_resolved_incident_is_looked_at_again_once(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    first = await system.alert(WRITER)
    assert first.status is IncidentStatus.RESOLVED
    other = alert("Custom", workflow_id="research", step_id="draft")
    assert (await system.alert(other)).id == first.id
    await system.alert(replace(WRITER, status="resolved"))
    await system.watcher.sweep()
    assert len(await system.incidents()) == 1
    for _ in range(3):
        system.clock.advance(601)
        await system.watcher.sweep()
        await system.watcher.settled()
    second, _ = await system.incidents()
    assert [each.fingerprint for each in second.alerts] == [other.fingerprint]
    assert first.id in second.timeline[0].text
    assert second.status is not IncidentStatus.RESOLVED


async def test_in_a_storm_every_alert_is_looked_at_with_its_full_time(system: System) -> None:
    running = most = 0

    class Slow(Investigator):
        async def investigate(self, alerts: Any) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            found = await super().investigate(alerts)
            running -= 1
            return found

    healthy(system.telemetry)
    queue(system.telemetry)
    system.start(investigator=Slow(system.telemetry, system.clock))
    await system.alert(*(alert("Storm", agent_id=f"agent-{number}") for number in range(20)))
    incidents = await system.incidents()
    assert {each.status for each in incidents} == {IncidentStatus.ESCALATED}
    assert (len(incidents), most) == (20, 4)


@pytest.mark.parametrize("year", [1, 9999])
async def test_an_alert_from_an_absurd_time_is_investigated_like_any_other(system: System, year: int) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    incident = await system.alert(replace(WRITER, starts_at=WRITER.starts_at.replace(year=year)))
    assert incident.cause is not None
    assert "error" not in kinds(incident)


async def test_a_delivery_of_many_alerts_reads_the_open_incidents_once(system: System) -> None:
    lists = 0

    class Counting:
        def __getattr__(self, name: str) -> Any:
            nonlocal lists
            lists += name == "list"
            return getattr(system.state.incidents, name)

    await system.state.switch.set_paused(True, by="test")
    system.start(incidents=Counting())
    many = [alert("Storm", agent_id=f"agent-{number}") for number in range(30)]
    taken = await system.watcher.handle_alert(many, b"{}")
    assert (len(taken["incidents"]), lists) == (30, 6)


@pytest.mark.parametrize("rule", ABOUT_TELEMETRY, ids=lambda rule: rule.alert)
async def test_trouble_of_telemetry_is_told_even_while_an_agent_fails(system: System, rule: Any) -> None:
    failing_writer(system.telemetry)
    trouble = alert(rule.alert, severity=rule.severity, component=rule.component, job="triage")
    trouble = replace(trouble, annotations=dict(trouble.annotations) | {"awf_action": rule.action})
    incident = await system.alert(trouble)
    assert incident.cause is CauseClass.TELEMETRY_GAP
    assert incident.action is not None
    assert incident.action.name == "notify_oncall"
    assert system.kinds == []
    assert rule.alert in system.people.pages[0]


async def test_an_agent_that_fails_while_telemetry_has_trouble_is_an_incident_of_its_own(
    system: System,
) -> None:
    failing_writer(system.telemetry, recovers_at=SOON)
    trouble = await system.alert(alert("AWFEventsRefused", component="pipeline", job="triage"))
    incident = await system.alert(WRITER)
    assert incident.id != trouble.id
    assert incident.action is not None
    assert incident.action.name == "switch_fallback"


async def test_an_alert_that_resolves_after_many_other_incidents_still_closes_its_own(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    storm = [alert("Storm", agent_id=f"agent-{number}") for number in range(60)]
    first = await system.alert(*storm)
    assert (first.status, first.resolved_at) == (IncidentStatus.ESCALATED, None)
    again = await system.alert(replace(storm[0], status="resolved"))
    assert (again.id, again.resolved_at) == (first.id, system.clock.now())
