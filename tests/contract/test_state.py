"""What every implementation of the state ports promises; run over SQLite in memory and in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from awf.core.incidents import ActionCall, Alert, Approval, ApprovalStatus, Incident, IncidentStatus
from awf.core.ports import Delivery, Desk
from awf.core.types import (
    AckStatus,
    AgentId,
    AgentManifest,
    ApprovalId,
    ChangeId,
    ControlAck,
    ControlChange,
    ControlKind,
    EngineId,
    EngineInfo,
    ExecutionId,
    ExecutionRecord,
    ExecutionStatus,
    IncidentId,
    Json,
    WorkflowId,
    WorkflowInfo,
)
from awf.errors import Conflict, Expired, InvalidInput, NotFound
from awf.state import State
from tests.postgres import PASSWORD, Postgres

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class MovingClock:
    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture(params=["memory", "file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as made:
            yield made
    else:
        path = ":memory:" if request.param == "memory" else str(tmp_path / "state.db")
        yield f"sqlite:///{path}"


@pytest.fixture
async def state(url: str, clock: MovingClock) -> AsyncIterator[State]:
    options = {"clock": clock, "control_timeout_s": 0.1, "poll_s": 0.05, "password": lambda: PASSWORD}
    async with await State.open(url, **options) as opened:  # type: ignore[arg-type]
        yield opened


def make_alert(fingerprint: str = "f1", *, status: str = "firing", seconds: int = 0) -> Alert:
    starts_at = START + timedelta(seconds=seconds)
    return Alert(fingerprint, status, starts_at, {"alertname": "A"}, values={"B": 0.5})


def make_incident(
    name: str = "inc_1", *, status: IncidentStatus = IncidentStatus.INVESTIGATING, fingerprint: str = "f1"
) -> Incident:
    return Incident(IncidentId(name), status, "critical", (make_alert(fingerprint),), START)


def make_approval(name: str = "apr_1") -> Approval:
    return Approval(
        id=ApprovalId(name),
        incident_id=IncidentId("inc_1"),
        status=ApprovalStatus.PENDING,
        action=ActionCall("scale_workers", {"workers": 8}),
        summary="Double the workers",
        why_asked="rule ask-scale",
        required_role="approver",
        created_at=START,
        expires_at=START + timedelta(hours=1),
    )


def make_engine(name: str = "e1", workflow: str = "w1", agent: str = "a1") -> EngineInfo:
    return EngineInfo(
        EngineId(name),
        (WorkflowInfo(WorkflowId(workflow), "", ()),),
        (AgentManifest(AgentId(agent), agent, "1"),),
        4,
    )


async def receive(state: State, *alerts: Alert, body: bytes = b"{}") -> list[Alert]:
    return (await state.incidents.at_desk(lambda desk: desk.receive([Delivery(alerts, body)])))[0]


async def last_for(state: State, fingerprint: str) -> Incident | None:
    return await state.incidents.at_desk(lambda desk: desk.last_for(fingerprint))


def make_event(kind: str, name: str, *, execution: str = "x1", seconds: int = 0, **more: object) -> Json:
    time_ns = int((START + timedelta(seconds=seconds)).timestamp() * 1e9)
    return {
        "type": kind, "workflow_id": "w1", "execution_id": execution, "id": name, "time_ns": time_ns, **more
    }  # fmt: skip


class TestIncidents:
    async def test_a_saved_incident_is_read_back_equal(self, state: State) -> None:
        await state.incidents.save(make_incident())
        assert await state.incidents.get(IncidentId("inc_1")) == make_incident()

    async def test_an_unknown_incident_is_not_found(self, state: State) -> None:
        with pytest.raises(NotFound, match="inc_9"):
            await state.incidents.get(IncidentId("inc_9"))

    async def test_a_repeated_alert_is_not_returned_again(self, state: State) -> None:
        alert = make_alert()
        assert await receive(state, alert, alert) == [alert]
        assert await receive(state, alert) == []

    async def test_firing_resolved_and_firing_anew_are_three_alerts(self, state: State) -> None:
        alerts = [make_alert(), make_alert(status="resolved"), make_alert(seconds=60)]
        assert await receive(state, *alerts) == alerts

    async def test_an_alert_that_was_taken_is_not_new_a_day_later(
        self, state: State, clock: MovingClock
    ) -> None:
        await receive(state, make_alert())
        await clock.sleep(86_400)
        assert await receive(state, make_alert()) == []

    async def test_what_comes_in_many_deliveries_at_once_is_new_in_the_first(self, state: State) -> None:
        one, two = make_alert(), make_alert(fingerprint="f2")
        given = [Delivery(alerts, b"{}") for alerts in ([one], [one, two], [two, one])]
        assert await state.incidents.at_desk(lambda desk: desk.receive(given)) == [[one], [two], []]

    async def test_many_are_saved_at_once_old_and_new(self, state: State) -> None:
        await state.incidents.save(make_incident())
        held = make_incident(status=IncidentStatus.HELD)
        made = [
            held,
            *(make_incident(f"inc_{number}", fingerprint=f"f{number}") for number in range(2, 1_100)),
        ]
        saved = await state.incidents.at_desk(lambda desk: desk.save(made))
        assert [each.revision for each in saved] == list(range(2, 1_101))
        assert await state.incidents.saved_since(1) == saved
        assert [each.id for each in (await state.incidents.list(limit=2)).items] == ["inc_1099", "inc_1098"]
        assert await last_for(state, "f1099") == made[-1]

    async def test_a_delivery_that_cannot_be_placed_was_never_there(self, state: State) -> None:
        def work(desk: Desk) -> None:
            assert desk.receive([Delivery([make_alert()], b"{}")]) == [[make_alert()]]
            assert desk.save([make_incident()])[0].revision == 1
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await state.incidents.at_desk(work)
        assert (await state.incidents.list()).items == ()
        assert await receive(state, make_alert()) == [make_alert()]

    async def test_the_newest_incident_of_a_fingerprint_is_found_open_or_closed(self, state: State) -> None:
        assert await last_for(state, "f1") is None
        for number, status in enumerate((IncidentStatus.INVESTIGATING, IncidentStatus.RESOLVED)):
            await state.incidents.save(make_incident(f"inc_{number}", status=status))
            found = await last_for(state, "f1")
            assert found is not None
            assert (found.id, found.status) == (f"inc_{number}", status)

    async def test_lists_are_newest_first_and_pages_meet_without_gap(self, state: State) -> None:
        for index in range(5):
            await state.incidents.save(make_incident(f"inc_{index}"))
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await state.incidents.list(limit=2, cursor=cursor)
            seen += [incident.id for incident in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == ["inc_4", "inc_3", "inc_2", "inc_1", "inc_0"]

    async def test_a_list_filters_by_status(self, state: State) -> None:
        await state.incidents.save(make_incident("inc_1"))
        await state.incidents.save(make_incident("inc_2", status=IncidentStatus.RESOLVED))
        page = await state.incidents.list(status="resolved")
        assert [incident.id for incident in page.items] == ["inc_2"]

    @pytest.mark.parametrize("cursor", ["", "zz", "é", "bi0x"])
    async def test_a_cursor_that_cannot_be_read_is_refused(self, state: State, cursor: str) -> None:
        with pytest.raises(InvalidInput, match="cursor"):
            await state.incidents.list(cursor=cursor)

    async def test_changes_arrive_from_the_call_on(self, state: State) -> None:
        await state.incidents.save(make_incident("before"))
        changed = state.incidents.changed()
        await state.incidents.save(make_incident("after"))
        async with asyncio.timeout(5):
            assert (await anext(changed)).id == "after"

    async def test_a_stream_of_changes_ends_when_the_state_closes(self, state: State) -> None:
        async def follow() -> list[Incident]:
            return [incident async for incident in state.incidents.changed()]

        task = asyncio.create_task(follow())
        await asyncio.sleep(0)
        await state.aclose()
        async with asyncio.timeout(5):
            assert await task == []


class TestApprovals:
    async def test_a_pending_approval_is_listed_until_decided(self, state: State) -> None:
        await state.approvals.create(make_approval())
        assert await state.approvals.pending() == [make_approval()]
        decided = await state.approvals.decide(ApprovalId("apr_1"), approve=True, by="ada", reason="")
        assert (decided.status, decided.decided_by) == (ApprovalStatus.APPROVED, "ada")
        assert await state.approvals.pending() == []
        assert await state.approvals.get(ApprovalId("apr_1")) == decided

    async def test_of_many_answers_at_once_one_wins(self, state: State) -> None:
        await state.approvals.create(make_approval())
        answers = await asyncio.gather(
            *(
                state.approvals.decide(
                    ApprovalId("apr_1"), approve=index % 2 == 0, by=f"p{index}", reason="r"
                )
                for index in range(8)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, Approval) for answer in answers) == 1
        assert sum(isinstance(answer, Conflict) for answer in answers) == 7

    async def test_two_different_people_approve_what_needs_two(self, state: State) -> None:
        await state.approvals.create(replace(make_approval(), quorum=2))

        async def answer(by: str, *, approve: bool = True) -> Approval:
            return await state.approvals.decide(ApprovalId("apr_1"), approve=approve, by=by, reason="r")

        first = await answer("ada")
        assert (first.status, first.approved_by) == (ApprovalStatus.PENDING, ("ada",))
        with pytest.raises(Conflict, match="ada has approved apr_1 already"):
            await answer("ada")
        found = await asyncio.gather(*(answer(f"p{number}") for number in range(4)), return_exceptions=True)
        (second,) = (each for each in found if isinstance(each, Approval))
        assert second.status is ApprovalStatus.APPROVED
        assert second.decided_by == f"ada, {second.approved_by[1]}"
        assert sum(isinstance(each, Conflict) for each in found) == 3

    async def test_the_first_no_rejects_what_needs_two(self, state: State) -> None:
        await state.approvals.create(replace(make_approval(), quorum=3))
        await state.approvals.decide(ApprovalId("apr_1"), approve=True, by="ada", reason="")
        no = await state.approvals.decide(
            ApprovalId("apr_1"), approve=False, by="ada", reason="no, after all"
        )
        assert (no.status, no.decided_by) == (ApprovalStatus.REJECTED, "ada")

    async def test_an_approval_expires_by_itself(self, state: State, clock: MovingClock) -> None:
        await state.approvals.create(make_approval())
        await clock.sleep(3601)
        assert await state.approvals.pending() == []
        assert (await state.approvals.get(ApprovalId("apr_1"))).status is ApprovalStatus.EXPIRED
        with pytest.raises(Expired, match="apr_1"):
            await state.approvals.decide(ApprovalId("apr_1"), approve=True, by="ada", reason="")

    async def test_an_unknown_approval_is_not_found(self, state: State) -> None:
        with pytest.raises(NotFound, match="apr_9"):
            await state.approvals.decide(ApprovalId("apr_9"), approve=True, by="ada", reason="")


class TestAudit:
    async def test_entries_written_at_once_form_one_chain(self, state: State) -> None:
        await asyncio.gather(
            *(state.audit.append(actor="a", event="e", subject=str(i), detail={"i": i}) for i in range(20))
        )
        assert await state.audit.verify() == 20

    async def test_an_empty_log_verifies(self, state: State) -> None:
        assert await state.audit.verify() == 0

    async def test_the_log_is_listed_newest_first(self, state: State) -> None:
        written = [await state.audit.append(actor="a", event="e", subject=s, detail={}) for s in "ab"]
        page = await state.audit.list()
        assert list(page.items) == written[::-1]


async def answer(state: State, engine_id: str, status: AckStatus = AckStatus.APPLIED) -> ControlChange:
    """Take the next change of an engine and acknowledge it, as an engine does."""
    async with asyncio.timeout(5):
        change = await anext(state.controls.changes(EngineId(engine_id), after_token=0))
    await state.controls.acknowledge(ControlAck(change.id, EngineId(engine_id), status, {"workers": 4}))
    return change


class TestControls:
    async def order(self, state: State, kind: ControlKind, key: str = "k1", **arguments: object):  # type: ignore[no-untyped-def]
        return await state.controls.submit(kind, arguments, requested_by="test", idempotency_key=key)

    async def test_a_change_is_applied_once_its_engine_says_so(self, state: State) -> None:
        await state.controls.register(make_engine())
        outcome, _ = await asyncio.gather(
            self.order(state, ControlKind.SET_WORKER_LIMIT, workers=8), answer(state, "e1")
        )
        assert outcome.is_applied
        assert outcome.acks[0].before == {"workers": 4}

    async def test_silence_shows_as_waiting_and_is_not_success(self, state: State) -> None:
        await state.controls.register(make_engine())
        outcome = await self.order(state, ControlKind.SET_WORKER_LIMIT, workers=8)
        assert outcome.waiting_for == ("e1",)
        assert not outcome.is_applied

    async def test_the_same_key_never_orders_twice(self, state: State) -> None:
        await state.controls.register(make_engine())
        first = await self.order(state, ControlKind.SET_WORKER_LIMIT, workers=8)
        again, change = await asyncio.gather(
            self.order(state, ControlKind.SET_WORKER_LIMIT, workers=16), answer(state, "e1")
        )
        assert again.change == first.change == change
        assert again.is_applied

    async def test_fencing_tokens_grow(self, state: State) -> None:
        outcomes = [await self.order(state, ControlKind.SET_WORKER_LIMIT, f"k{i}") for i in range(3)]
        tokens = [outcome.change.token for outcome in outcomes]
        assert tokens == sorted(set(tokens))

    async def test_orders_since_a_moment_are_told_oldest_first_whoever_gave_them(
        self, state: State, clock: MovingClock
    ) -> None:
        before = clock.now()
        for number in range(3):
            await self.order(state, ControlKind.SET_WORKER_LIMIT, f"k{number}", workers=number + 1)
        found = await state.controls.changes_since(before)
        assert [each.arguments["workers"] for each in found] == [1, 2, 3]
        assert {each.requested_by for each in found} == {"test"}
        assert await state.controls.changes_since(clock.now() + timedelta(minutes=1)) == []

    async def test_without_an_engine_nothing_is_applied(self, state: State) -> None:
        outcome = await self.order(state, ControlKind.SET_WORKER_LIMIT, workers=8)
        assert (outcome.acks, outcome.waiting_for, outcome.is_applied) == ((), (), False)

    @pytest.mark.parametrize(
        ("kind", "arguments", "concerned"),
        [
            (ControlKind.SET_WORKER_LIMIT, {"workers": 2}, {"e1", "e2"}),
            (ControlKind.SET_WORKER_LIMIT, {"workers": 2, "engine_id": "e2"}, {"e2"}),
            (ControlKind.SET_AGENT_ENABLED, {"agent_id": "a2"}, {"e2"}),
            (ControlKind.SET_FALLBACK_FORCED, {"workflow_id": "w1", "step_id": "s"}, {"e1"}),
            (ControlKind.SET_TIMEOUT_FACTOR, {"workflow_id": "w2", "step_id": "s"}, {"e2"}),
            (ControlKind.START_EXECUTION, {"workflow_id": "w2"}, {"e2"}),
            (ControlKind.CANCEL_EXECUTION, {"execution_id": "x1"}, {"e1"}),
            (ControlKind.RETRY_STEP, {"execution_id": "x1", "step_id": "s"}, {"e1"}),
            (ControlKind.RESTART_EXECUTION, {"execution_id": "unknown"}, set()),
        ],
    )
    async def test_a_change_goes_to_the_engines_it_concerns(
        self, state: State, kind: ControlKind, arguments: Json, concerned: set[str]
    ) -> None:
        await state.controls.register(make_engine("e1", "w1", "a1"))
        await state.controls.register(make_engine("e2", "w2", "a2"))
        await state.executions.append_events(EngineId("e1"), [make_event("workflow.started", "v1")])
        outcome = await self.order(state, kind, **arguments)
        assert set(outcome.waiting_for) == concerned

    async def test_an_execution_starts_on_the_less_busy_engine(self, state: State) -> None:
        await state.controls.register(make_engine("e1"))
        await state.controls.register(make_engine("e2"))
        await state.executions.append_events(EngineId("e1"), [make_event("workflow.started", "v1")])
        outcome = await self.order(state, ControlKind.START_EXECUTION, workflow_id="w1")
        assert outcome.waiting_for == ("e2",)

    async def test_an_engine_not_heard_of_for_15_seconds_is_not_live(
        self, state: State, clock: MovingClock
    ) -> None:
        await state.controls.register(make_engine("e1"))
        await clock.sleep(10)
        await state.controls.heartbeat(EngineId("e1"))
        await clock.sleep(10)
        assert [engine.id for engine in await state.controls.engines()] == ["e1"]
        await clock.sleep(10)
        assert await state.controls.engines() == []

    async def test_a_heartbeat_of_an_unknown_engine_is_not_found(self, state: State) -> None:
        with pytest.raises(NotFound, match="e9"):
            await state.controls.heartbeat(EngineId("e9"))

    async def test_an_order_that_nobody_took_is_void_after_five_minutes(
        self, state: State, clock: MovingClock
    ) -> None:
        await state.controls.register(make_engine())
        await self.order(state, ControlKind.SET_WORKER_LIMIT, "old", workers=8)
        await clock.sleep(301)
        await state.controls.heartbeat(EngineId("e1"))
        outcome, change = await asyncio.gather(
            self.order(state, ControlKind.SET_WORKER_LIMIT, "new", workers=9), answer(state, "e1")
        )
        assert change == outcome.change
        assert change.arguments == {"workers": 9}

    async def test_a_repeated_answer_is_fine_and_a_different_one_a_conflict(self, state: State) -> None:
        await state.controls.register(make_engine())
        outcome = await self.order(state, ControlKind.SET_WORKER_LIMIT, workers=8)
        ack = ControlAck(outcome.change.id, EngineId("e1"), AckStatus.APPLIED)
        await state.controls.acknowledge(ack)
        await state.controls.acknowledge(ack)
        with pytest.raises(Conflict, match="differently"):
            await state.controls.acknowledge(
                ControlAck(outcome.change.id, EngineId("e1"), AckStatus.REFUSED, detail="no")
            )

    async def test_an_answer_to_an_unknown_change_or_by_a_stranger_is_not_found(self, state: State) -> None:
        await state.controls.register(make_engine())
        outcome = await self.order(state, ControlKind.SET_WORKER_LIMIT, workers=8)
        for change_id, engine in (("chg_9", "e1"), (outcome.change.id, "e9")):
            with pytest.raises(NotFound):
                await state.controls.acknowledge(
                    ControlAck(ChangeId(change_id), EngineId(engine), AckStatus.APPLIED)
                )


class TestExecutions:
    async def test_events_make_the_execution(self, state: State) -> None:
        started = make_event("workflow.started", "v1", data={"input": {"q": 1}, "restarted_from": "x0"})
        await state.executions.append_events(EngineId("e1"), [started])
        running = await state.executions.get(ExecutionId("x1"))
        assert (running.status, running.input) == (ExecutionStatus.RUNNING, {"q": 1})
        assert (running.engine_id, running.restarted_from) == ("e1", "x0")
        done = make_event("workflow.completed", "v2", seconds=3, data={"output": {"a": 2}})
        await state.executions.append_events(EngineId("e1"), [done])
        finished = await state.executions.get(ExecutionId("x1"))
        assert (finished.status, finished.output) == (ExecutionStatus.COMPLETED, {"a": 2})
        assert finished.finished_at == START + timedelta(seconds=3)

    async def test_a_retried_step_makes_a_failed_execution_run_again(self, state: State) -> None:
        events = [
            make_event("workflow.started", "v1"),
            make_event("workflow.failed", "v2", error="step s failed"),
        ]
        await state.executions.append_events(EngineId("e1"), events)
        failed = await state.executions.get(ExecutionId("x1"))
        assert (failed.status, failed.error) == (ExecutionStatus.FAILED, "step s failed")
        await state.executions.append_events(EngineId("e1"), [make_event("workflow.step.started", "v3")])
        again = await state.executions.get(ExecutionId("x1"))
        assert (again.status, again.error, again.finished_at) == (ExecutionStatus.RUNNING, None, None)

    async def test_a_repeated_event_changes_nothing(self, state: State) -> None:
        event = make_event("workflow.failed", "v1", error="boom")
        await state.executions.append_events(EngineId("e1"), [event, event])
        await state.executions.append_events(EngineId("e1"), [event])
        stored = [each async for each in state.executions.events(ExecutionId("x1"))]
        assert [event for _, event in stored] == [event]

    async def test_events_resume_after_a_position_and_end_with_the_execution(self, state: State) -> None:
        names = ("workflow.started", "agent.invoked", "workflow.completed")
        events = [make_event(name, f"v{index}") for index, name in enumerate(names)]
        await state.executions.append_events(EngineId("e1"), events)
        async with asyncio.timeout(5):
            stored = [each async for each in state.executions.events(ExecutionId("x1"))]
            rest = [each async for each in state.executions.events(ExecutionId("x1"), after=stored[0][0])]
        assert [event for _, event in stored] == events
        assert rest == stored[1:]

    async def test_events_of_a_running_execution_are_followed(self, state: State) -> None:
        await state.executions.append_events(EngineId("e1"), [make_event("workflow.started", "v1")])
        following = state.executions.events(ExecutionId("x1"))
        async with asyncio.timeout(5):
            await anext(following)
            waiting = asyncio.create_task(anext(following))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            await state.executions.append_events(EngineId("e1"), [make_event("workflow.failed", "v2")])
            assert (await waiting)[1]["id"] == "v2"
            with pytest.raises(StopAsyncIteration):
                await anext(following)

    async def test_without_following_the_stored_events_are_all(self, state: State) -> None:
        await state.executions.append_events(EngineId("e1"), [make_event("workflow.started", "v1")])
        async with asyncio.timeout(5):
            stored = [each async for each in state.executions.events(ExecutionId("x1"), follow=False)]
        assert len(stored) == 1

    async def test_events_of_an_unknown_execution_are_not_found(self, state: State) -> None:
        with pytest.raises(NotFound, match="x9"):
            await anext(state.executions.events(ExecutionId("x9")))

    async def test_an_event_without_a_needed_field_stores_nothing(self, state: State) -> None:
        broken = make_event("workflow.started", "v2", execution="x2")
        del broken["time_ns"]
        with pytest.raises(InvalidInput, match="time_ns"):
            await state.executions.append_events(
                EngineId("e1"), [make_event("workflow.started", "v1"), broken]
            )
        assert (await state.executions.list()).items == ()

    async def test_lists_filter_by_workflow_and_status(self, state: State) -> None:
        for name, status in (("x1", ExecutionStatus.PENDING), ("x2", ExecutionStatus.FAILED)):
            record = ExecutionRecord(ExecutionId(name), WorkflowId("w1"), status, EngineId(""), {})
            await state.executions.save(record)
        failed = await state.executions.list(workflow_id=WorkflowId("w1"), status="failed")
        assert [record.id for record in failed.items] == ["x2"]
        assert (await state.executions.list(workflow_id=WorkflowId("w2"))).items == ()


class TestTokensAndSessions:
    async def test_a_token_names_its_principal_until_revoked(self, state: State) -> None:
        token = await state.tokens.create("ada", "admin")
        found = await state.tokens.authenticate(token)
        assert found is not None
        assert (found.name, found.role) == ("ada", "admin")
        await state.tokens.revoke("ada")
        assert await state.tokens.authenticate(token) is None

    async def test_ensure_replaces_the_earlier_token_of_a_name(self, state: State) -> None:
        await state.tokens.ensure("boot", "admin", "one")
        await state.tokens.ensure("boot", "viewer", "two")
        assert await state.tokens.authenticate("one") is None
        assert [(each.name, each.role) for each in await state.tokens.list()] == [("boot", "viewer")]

    async def test_wrong_tokens_are_refused_clearly(self, state: State) -> None:
        await state.tokens.create("ada", "admin")
        with pytest.raises(Conflict, match="ada"):
            await state.tokens.create("ada", "viewer")
        with pytest.raises(InvalidInput, match="root"):
            await state.tokens.create("bob", "root")
        with pytest.raises(NotFound, match="bob"):
            await state.tokens.revoke("bob")

    async def test_a_login_code_works_once(self, state: State) -> None:
        await state.tokens.create("ada", "admin")
        code = await state.sessions.create_code("ada")
        session = await state.sessions.redeem_code(code)
        assert session is not None
        assert await state.sessions.find(session.id) == session
        assert await state.sessions.redeem_code(code) is None

    async def test_a_login_code_expires_after_ten_minutes(self, state: State, clock: MovingClock) -> None:
        await state.tokens.create("ada", "admin")
        code = await state.sessions.create_code("ada")
        await clock.sleep(601)
        assert await state.sessions.redeem_code(code) is None

    async def test_a_session_ends_by_log_out_by_time_and_with_its_token(
        self, state: State, clock: MovingClock
    ) -> None:
        await state.tokens.create("ada", "admin")
        ended, orphan = [await state.sessions.start("ada") for _ in range(2)]
        await state.sessions.end(ended.id)
        assert await state.sessions.find(ended.id) is None
        assert await state.sessions.find(orphan.id) == orphan
        await state.tokens.revoke("ada")
        assert await state.sessions.find(orphan.id) is None
        await state.tokens.create("ada", "viewer")
        assert await state.sessions.find(orphan.id) is None
        late = await state.sessions.start("ada")
        await clock.sleep(13 * 3600)
        assert await state.sessions.find(late.id) is None

    async def test_the_same_token_ensured_again_keeps_its_sessions(self, state: State) -> None:
        await state.tokens.ensure("boot", "admin", "one")
        session = await state.sessions.start("boot")
        await state.tokens.ensure("boot", "admin", "one")
        assert await state.sessions.find(session.id) == session
        await state.tokens.ensure("boot", "admin", "two")
        assert await state.sessions.find(session.id) is None


async def test_the_kill_switch_stays_as_it_was_set(state: State) -> None:
    assert not await state.switch.is_paused()
    await state.switch.set_paused(True, by="ada")
    await state.switch.set_paused(True, by="bob")
    assert await state.switch.is_paused()
    await state.switch.set_paused(False, by="ada")
    assert not await state.switch.is_paused()


NASTY = "a\x00b\ud800 é 漢 \U0001f600 \\u0000 ' \" % $1 :name"


async def test_text_that_a_database_refuses_is_stored_as_near_as_can_be(state: State) -> None:
    written = await state.audit.append(actor=NASTY, event="e", subject="s", detail={"text": NASTY, NASTY: 1})
    assert await state.audit.verify() == 1
    assert list((await state.audit.list()).items) == [written]
    kept = NASTY.replace("\ud800", "?")
    assert written.actor == kept.replace("\x00", "\ufffd")
    assert written.detail == {"text": kept, kept: 1}


async def test_an_alert_with_nasty_text_is_taken_once_and_found_again(state: State) -> None:
    alert = replace(make_alert(fingerprint="f\x00g"), labels={"alertname": NASTY})
    incident = Incident(IncidentId("inc_1"), IncidentStatus.INVESTIGATING, "critical", (alert,), START)
    assert await receive(state, alert, body=b"\x00\xff") == [alert]
    for _ in range(2):
        await state.incidents.save(incident)
    assert await receive(state, alert, body=b"") == []
    found = await last_for(state, "f\x00g")
    assert found is not None
    assert found.alerts[0].labels["alertname"] == NASTY.replace("\ud800", "?")


async def test_a_number_that_is_none_is_stored_as_nothing(state: State) -> None:
    detail = {
        "nan": math.nan,
        "inf": [math.inf, {"x": -math.inf}],
        "big": 10**30,
        "small": 5e-324,
        "is": True,
    }
    written = await state.audit.append(actor="a", event="e", subject="s", detail=detail)
    assert written.detail == {
        "nan": None, "inf": [None, {"x": None}], "big": 10**30, "small": 5e-324, "is": True
    }  # fmt: skip
    assert await state.audit.verify() == 1
    assert (await state.audit.list()).items[0].detail == written.detail


@pytest.mark.parametrize("name", ["v\x00", "v\ud800"])
async def test_an_event_whose_id_is_no_text_is_refused(state: State, name: str) -> None:
    with pytest.raises(InvalidInput, match="an event's id"):
        await state.executions.append_events(EngineId("e1"), [make_event("workflow.started", name)])


async def test_names_are_listed_in_the_order_of_their_code_points(state: State) -> None:
    names = ["b", "B", "a", "_", "é", "10", "9", "a b", "a-b"]
    for name in names:
        await state.tokens.create(name, "viewer")
    assert [each.name for each in await state.tokens.list()] == sorted(names)


async def test_long_text_is_no_mistake(state: State) -> None:
    alert = replace(make_alert(fingerprint="f" * 128), annotations={"summary": "x" * 100_000})
    assert await receive(state, alert, body=b"x" * 1_000_000) == [alert]
    await state.audit.append(actor="a" * 10_000, event="e" * 10_000, subject="s" * 10_000, detail={})
    event = make_event("workflow.started", "v" * 128, execution="x" * 128)
    await state.executions.append_events(EngineId("e" * 1_000), [event])
    assert (await state.executions.get(ExecutionId("x" * 128))).engine_id == "e" * 1_000


async def test_many_readers_and_writers_at_once_all_get_their_turn(state: State) -> None:
    await asyncio.gather(
        *(state.incidents.save(make_incident(f"inc_{number}")) for number in range(40)),
        *(state.incidents.list() for _ in range(60)),
    )
    assert len((await state.incidents.list(limit=50)).items) == 40


async def test_a_reader_who_leaves_in_the_middle_breaks_nothing(state: State) -> None:
    """A cancelled unit of work would take the only connection of an in-memory database with it."""
    await state.incidents.save(make_incident())
    for _ in range(20):
        task = asyncio.create_task(state.incidents.get(IncidentId("inc_1")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await state.incidents.get(IncidentId("inc_1")) == make_incident()
