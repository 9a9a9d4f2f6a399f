"""Who may decide, once: over real connections, with the real watcher behind them."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import update

from awf.core.codec import to_json
from awf.core.incidents import WATCHER_NAME, ActionOutcome, ApprovalStatus, IncidentStatus
from awf.core.types import ApprovalId
from awf.notify._slack_buttons import SlackButtons
from awf.state.schema import approvals, incidents
from tests.security._service import SLACK_SECRET, asks, press, replica_of, service_of
from tests.unit.agents._system import System

everywhere = pytest.mark.parametrize("url", ["file", "postgres"], indirect=True)


async def audited(system: System, event: str) -> list[str]:
    """Return who did this, as the audit log has it."""
    page = await system.state.audit.list(limit=200)
    return [entry.actor for entry in page.items if entry.event == event]


@everywhere
async def test_of_many_who_approve_at_once_at_two_replicas_one_is_first_and_the_action_is_taken_once(
    system: System, url: str
) -> None:
    system.start(policy=asks())
    async with (
        replica_of(system, url, policy=asks()) as other,
        service_of(system) as service,
        service_of(other) as second,
    ):
        incident, approval = await service.question()
        second.tokens = service.tokens
        names = [f"person-{number}" for number in range(16)]
        for name in names:
            await service.person(name)
        path = f"/approvals/{approval.id}/approve"
        answers = await asyncio.gather(
            *((service, second)[number % 2].post(path, name) for number, name in enumerate(names))
        )
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 15}
        (winner,) = [answer.json()["decided_by"] for answer in answers if answer.status_code == 200]
        await second.ended(incident)
        done = await service.ended(incident)
    assert system.kinds == ["set_fallback_forced"]
    assert (done.decided_by, done.outcome) == (winner, ActionOutcome.VERIFIED)
    assert await audited(system, "approval.approved") == [winner]
    assert len(await audited(system, "action.applied")) == 1


@everywhere
async def test_a_quorum_counts_people_not_requests(system: System) -> None:
    system.start(policy=asks(approvals=3))
    async with service_of(system) as service:
        incident, approval = await service.question()
        for name in ("ana", "bo", "cy"):
            await service.person(name)
        path = f"/approvals/{approval.id}/approve"
        twice = await asyncio.gather(*(service.post(path, "ana") for _ in range(8)))
        assert Counter(answer.status_code for answer in twice) == {200: 1, 409: 7}
        assert system.kinds == []
        found = await system.state.approvals.get(approval.id)
        assert (found.status, found.approved_by) == (ApprovalStatus.PENDING, ("ana",))
        rest = await asyncio.gather(*(service.post(path, name) for name in ("bo", "cy") for _ in range(4)))
        assert Counter(answer.status_code for answer in rest) == {200: 2, 409: 6}
        await service.ended(incident)
    assert system.kinds == ["set_fallback_forced"]
    people = (await system.state.approvals.get(approval.id)).approved_by
    assert people[0] == "ana"
    assert sorted(people) == ["ana", "bo", "cy"]
    assert len(await audited(system, "action.applied")) == 1


async def test_when_some_approve_and_some_reject_at_once_one_answer_holds(system: System) -> None:
    system.start(policy=asks())
    async with service_of(system) as service:
        incident, approval = await service.question()
        names = [f"person-{number}" for number in range(12)]
        for name in names:
            await service.person(name)
        paths = [f"/approvals/{approval.id}/{answer}" for answer in ("approve", "reject")]
        answers = await asyncio.gather(
            *(service.post(paths[n % 2], name, {"reason": "no"}) for n, name in enumerate(names))
        )
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 11}
        done = await service.ended(incident)
    is_approved = (await system.state.approvals.get(approval.id)).status is ApprovalStatus.APPROVED
    assert system.kinds == (["set_fallback_forced"] if is_approved else [])
    assert done.outcome is (ActionOutcome.VERIFIED if is_approved else ActionOutcome.REJECTED)


@pytest.mark.parametrize("role", ["viewer", "worker", "operator"])
async def test_a_foreign_approval_decides_nothing(system: System, role: str) -> None:
    system.start(policy=asks())
    async with service_of(system) as service:
        _, approval = await service.question()
        await service.person("someone", role)
        for answer in ("approve", "reject"):
            path = f"/approvals/{approval.id}/{answer}"
            assert (await service.post(path, "someone", {"reason": "r"})).status_code == 403
            assert (await service.post(path, "", {"reason": "r"})).status_code == 401
        assert (await service.post(f"/approvals/{approval.id}x/approve", "someone")).status_code == 403
        assert (await system.state.approvals.get(approval.id)).status is ApprovalStatus.PENDING
    assert system.kinds == []


async def test_rights_count_at_the_moment_of_deciding(system: System) -> None:
    system.start(policy=asks())
    async with service_of(system) as service:
        _, approval = await service.question()
        token = await service.person("ana")
        await system.state.tokens.revoke("ana")
        path = f"/approvals/{approval.id}/approve"
        assert (await service.post(path, "ana")).status_code == 401
        await system.state.tokens.ensure("ana", "viewer", token)
        assert (await service.post(path, "ana")).status_code == 403
    assert system.kinds == []


async def test_the_watcher_approves_nothing_itself_by_any_way(system: System) -> None:
    """Not with a token of its name, not by a link for it, and not as someone in Slack."""
    system.start(policy=asks())
    slack = SlackButtons({SLACK_SECRET: {"U1": WATCHER_NAME}})
    async with service_of(system, buttons=slack) as service:
        _, approval = await service.question()
        await service.person(WATCHER_NAME, "admin")
        assert (await service.post(f"/approvals/{approval.id}/approve", WATCHER_NAME)).status_code == 403
        link = urlsplit(service.links.url(approval.id, WATCHER_NAME))
        form = {**dict(parse_qsl(link.query)), "answer": "approve"}
        assert (await service.http.post(link.path, data=form)).status_code == 403
        assert (await press(service, approval.id)).status_code == 200
        assert (await system.state.approvals.get(approval.id)).status is ApprovalStatus.PENDING
    assert system.kinds == []


async def test_a_link_for_one_question_and_person_is_good_for_no_other(system: System) -> None:
    system.start(policy=asks())
    async with service_of(system) as service:
        _, approval = await service.question()
        for name in ("ana", "bo"):
            await service.person(name)
        await service.person("vi", "viewer")
        key = dict(parse_qsl(urlsplit(service.links.url(approval.id, "ana")).query))["key"]
        of_another = dict(parse_qsl(urlsplit(service.links.url(ApprovalId("apr_x"), "bo")).query))["key"]
        theirs = dict(parse_qsl(urlsplit(service.links.url(approval.id, "vi")).query))["key"]
        for person, sent in (("bo", key), ("bo", of_another), ("ana", ""), ("", key), ("vi", theirs)):
            form = {"person": person, "key": sent, "answer": "approve"}
            assert (await service.http.post(f"/ui/decide/{approval.id}", data=form)).status_code == 403
        assert (await system.state.approvals.get(approval.id)).status is ApprovalStatus.PENDING
    assert system.kinds == []


async def test_an_expired_question_is_closed_and_nothing_is_done(system: System) -> None:
    system.start(policy=asks())
    async with service_of(system) as service:
        incident, approval = await service.question()
        await service.person("ana")
        system.clock.advance(3_601)
        answer = await service.post(f"/approvals/{approval.id}/approve", "ana")
        assert (answer.status_code, answer.json()["reason"]) == (410, "expired")
        link = urlsplit(service.links.url(approval.id, "ana"))
        form = {**dict(parse_qsl(link.query)), "answer": "approve"}
        assert (await service.http.post(link.path, data=form)).status_code == 410
        await system.watcher.sweep()
        done = await service.ended(incident)
    assert (system.kinds, done.status) == ([], IncidentStatus.ESCALATED)


async def test_arguments_that_are_changed_after_the_approval_are_refused(system: System) -> None:
    """Someone who can write to the database changes what was approved, while the watcher is paused."""
    system.start(policy=asks())
    async with service_of(system) as service:
        incident, approval = await service.question()
        await service.person("ana")
        await system.state.switch.set_paused(True, by="ana")
        assert (await service.post(f"/approvals/{approval.id}/approve", "ana")).status_code == 200
        await system.watcher.settled()
        found = await system.state.incidents.get(incident.id)
        assert found.action is not None
        place = {"workflow_id": "triage", "step_id": "classify", "agent_id": "classifier"}
        changed = replace(found, action=replace(found.action, arguments={"steps": [place]}))
        await system.state.database.write(
            lambda conn: (
                conn.execute(
                    update(incidents).where(incidents.c.id == found.id).values(doc=to_json(changed))
                ).rowcount
            )
        )
        await system.state.switch.set_paused(False, by="ana")
        await system.watcher.sweep()
        done = await service.ended(incident)
    assert system.kinds == []
    assert done.outcome is ActionOutcome.REFUSED
    assert any("is for another action" in entry.text for entry in done.timeline)


async def test_an_approval_of_another_incident_opens_nothing(system: System) -> None:
    system.start(policy=asks())
    async with service_of(system) as service:
        incident, approval = await service.question()
        await service.person("ana")
        stolen = replace(approval, incident_id=type(incident.id)("inc_other"))
        await system.state.database.write(
            lambda conn: (
                conn.execute(
                    update(approvals).where(approvals.c.id == approval.id).values(doc=to_json(stolen))
                ).rowcount
            )
        )
        await service.post(f"/approvals/{approval.id}/approve", "ana")
        await system.watcher.sweep()
        done = await service.ended(incident)
    assert (system.kinds, done.outcome) == ([], ActionOutcome.REFUSED)
