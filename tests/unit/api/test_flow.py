"""Executions, engines, approvals, incidents and health over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta

import pytest

from awf.core.codec import to_json
from awf.core.incidents import (
    ActionCall,
    ActionOutcome,
    Alert,
    Approval,
    ApprovalStatus,
    CauseClass,
    Evidence,
    Hypothesis,
    Incident,
    IncidentStatus,
    Target,
    TimelineEntry,
)
from awf.core.types import (
    AckStatus,
    AgentId,
    AgentManifest,
    ApprovalId,
    ControlAck,
    EngineId,
    EngineInfo,
    IncidentId,
    StepId,
    StepInfo,
    WorkflowId,
    WorkflowInfo,
)
from awf.errors import Unavailable
from tests.unit.api._parts import START, Api


def make_engine() -> EngineInfo:
    steps = (StepInfo(StepId("draft"), AgentId("writer")),)
    return EngineInfo(
        EngineId("e1"),
        (WorkflowInfo(WorkflowId("report"), "writes", steps),),
        (AgentManifest(AgentId("writer"), "Writer", "1"),),
        4,
    )


def make_event(kind: str, execution_id: str, name: str) -> dict[str, object]:
    return {
        "type": kind, "workflow_id": "report", "execution_id": execution_id, "id": name,
        "time_ns": 1_795_262_400_000_000_000, "data": {"output": {"text": "done"}},
    }  # fmt: skip


async def engine_answers(api: Api, status: AckStatus, detail: str = "") -> None:
    """Take one change and answer it, as an engine in this process does."""
    change = await anext(api.state.controls.changes(EngineId("e1"), after_token=0))
    await api.state.controls.acknowledge(ControlAck(change.id, EngineId("e1"), status, {}, detail))


class TestExecutions:
    async def test_a_start_is_accepted_and_shows_as_pending_until_the_engine_reports(self, api: Api) -> None:
        await api.state.controls.register(make_engine())
        client = api.client("operator")
        answer, _ = await asyncio.gather(
            client.post("/workflows/report/executions", json={"input": {"topic": "bees"}}),
            engine_answers(api, AckStatus.APPLIED),
        )
        assert answer.status_code == 202
        path = f"/executions/{answer.json()['id']}"
        shown = (await client.get(path)).json()
        assert (shown["status"], shown["input"]) == ("pending", {"topic": "bees"})
        event = make_event("workflow.completed", answer.json()["id"], "v1")
        await api.client("worker").post("/api/v1/engines/e1/events", json={"events": [event]})
        shown = (await client.get(path)).json()
        assert (shown["status"], shown["engine_id"], shown["output"]) == ("completed", "e1", {"text": "done"})

    async def test_a_start_that_the_engine_refuses_is_a_conflict_that_says_why(self, api: Api) -> None:
        await api.state.controls.register(make_engine())
        client = api.client("operator")
        answer, _ = await asyncio.gather(
            client.post("/workflows/report/executions"),
            engine_answers(api, AckStatus.REFUSED, "shutting down"),
        )
        assert answer.status_code == 409
        assert "shutting down" in answer.json()["detail"]
        (shown,) = (await client.get("/executions?status=failed")).json()["items"]
        assert shown["error"] == "shutting down"

    async def test_an_engine_that_is_slow_to_answer_leaves_the_execution_pending(self, api: Api) -> None:
        await api.state.controls.register(make_engine())
        answer = await api.client("operator").post("/workflows/report/executions")
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")

    async def test_an_unknown_workflow_is_404_and_no_engine_503(self, api: Api) -> None:
        client = api.client("operator")
        assert (await client.post("/workflows/report/executions")).status_code == 503
        await api.state.controls.register(make_engine())
        answer = await client.post("/workflows/nope/executions")
        assert (answer.status_code, answer.json()["hint"]) == (404, "Known: report.")
        assert (await client.get("/executions")).json()["items"] == []

    @pytest.mark.parametrize(("body", "field"), [({"input": [1]}, "input"), ([1], "body")])
    async def test_a_wrong_input_names_its_field(self, api: Api, body: object, field: str) -> None:
        answer = await api.client("operator").post("/workflows/report/executions", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)

    async def test_cancelling_reaches_the_engine_of_the_execution(self, api: Api) -> None:
        await api.state.controls.register(make_engine())
        await api.state.executions.append_events(EngineId("e1"), [make_event("workflow.started", "x1", "v1")])
        client = api.client("operator")
        answer, _ = await asyncio.gather(
            client.post("/executions/x1/cancel"), engine_answers(api, AckStatus.APPLIED)
        )
        assert answer.status_code == 202
        assert (await client.post("/executions/x9/cancel")).status_code == 404

    async def test_cancelling_what_is_over_is_a_conflict_and_without_its_engine_unavailable(
        self, api: Api
    ) -> None:
        events = [make_event("workflow.started", "x1", "v1"), make_event("workflow.failed", "x2", "v2")]
        await api.state.executions.append_events(EngineId("e1"), events)
        client = api.client("operator")
        assert (await client.post("/executions/x2/cancel")).status_code == 409
        assert (await client.post("/executions/x1/cancel")).status_code == 503

    async def test_workflows_are_those_of_live_engines(self, api: Api) -> None:
        await api.state.controls.register(make_engine())
        client = api.client("viewer")
        (shown,) = (await client.get("/workflows")).json()["items"]
        assert (shown["id"], shown["engines"], shown["steps"][0]["agent_id"]) == ("report", ["e1"], "writer")
        api.clock.moment += timedelta(seconds=16)
        assert (await client.get("/workflows")).json()["items"] == []

    async def test_lists_come_in_pages(self, api: Api) -> None:
        events = [make_event("workflow.completed", f"x{index}", f"v{index}") for index in range(3)]
        await api.state.executions.append_events(EngineId("e1"), events)
        client = api.client("viewer")
        first = (await client.get("/executions?limit=2")).json()
        rest = (await client.get(f"/executions?limit=2&cursor={first['next_cursor']}")).json()
        assert [item["id"] for item in first["items"] + rest["items"]] == ["x2", "x1", "x0"]
        assert rest["next_cursor"] is None


def messages(text: str) -> list[dict[str, str]]:
    """Read server-sent events."""
    blocks = (block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip())
    return [dict(re.findall(r"^(\w+): (.*)$", block, re.MULTILINE)) for block in blocks]


class TestStreams:
    async def test_events_end_with_the_execution_and_resume_after_the_last_id(self, api: Api) -> None:
        events = [make_event("workflow.started", "x1", "v1"), make_event("workflow.completed", "x1", "v2")]
        await api.state.executions.append_events(EngineId("e1"), events)
        client = api.client("viewer")
        async with asyncio.timeout(5):
            answer = await client.get("/executions/x1/events")
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = messages(answer.text)
        assert [message["event"] for message in found] == ["workflow.started", "workflow.completed", "end"]
        assert [json.loads(message["data"]) for message in found[:2]] == events
        assert json.loads(found[2]["data"]) == {"status": "completed"}
        async with asyncio.timeout(5):
            answer = await client.get("/executions/x1/events", headers={"Last-Event-ID": found[0]["id"]})
        assert [message["event"] for message in messages(answer.text)] == ["workflow.completed", "end"]

    async def test_a_wrong_last_id_and_an_unknown_execution_are_refused(self, api: Api) -> None:
        client = api.client("viewer")
        answer = await client.get("/executions/x1/events")
        assert answer.status_code == 404
        answer = await client.get("/executions/x1/events", headers={"Last-Event-ID": "last"})
        assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")

    async def test_incident_changes_are_streamed_until_the_server_stops(self, api: Api) -> None:
        stopping = asyncio.Event()
        stream = asyncio.create_task(
            api.client("viewer", stopping=stopping).get("/api/v1/incidents/stream?incident_id=inc_1")
        )
        while not api.state.database.signals._tickets:
            await asyncio.sleep(0.01)
        await api.state.incidents.save(make_incident("inc_2"))
        await api.state.incidents.save(make_incident("inc_1"))
        await asyncio.sleep(0.2)
        stopping.set()
        async with asyncio.timeout(5):
            found = messages((await stream).text)
        assert [(message["event"], json.loads(message["data"])["id"]) for message in found] == [
            ("incident", "inc_1")
        ]

    async def test_an_engine_follows_its_changes(self, api: Api) -> None:
        stopping = asyncio.Event()
        worker = api.client("worker", stopping=stopping)
        assert (await worker.get("/api/v1/controls?engine_id=e1")).status_code == 404
        assert (await worker.post("/api/v1/engines", json=to_json(make_engine()))).status_code == 204
        await api.client("operator").post("/workflows/report/executions")
        stream = asyncio.create_task(worker.get("/api/v1/controls?engine_id=e1"))
        await asyncio.sleep(0.2)
        stopping.set()
        async with asyncio.timeout(5):
            (found,) = messages((await stream).text)
        change = json.loads(found["data"])
        assert (found["event"], change["kind"]) == ("change", "start_execution")
        assert found["id"] == str(change["token"])
        ack = {"change_id": change["id"], "engine_id": "e1", "status": "applied"}
        path = f"/api/v1/controls/{change['id']}/ack"
        assert (await worker.post(path, json=ack)).status_code == 204
        assert (await worker.post(path, json=ack)).status_code == 204
        assert (await worker.post(path, json={**ack, "status": "failed"})).status_code == 409
        assert (await worker.post("/api/v1/controls/chg_9/ack", json=ack)).status_code == 422


class TestEngines:
    async def test_a_registered_engine_is_listed_while_its_heart_beats(self, api: Api) -> None:
        worker = api.client("worker")
        assert (await worker.put("/api/v1/engines/e1/heartbeat")).status_code == 404
        await worker.post("/api/v1/engines", json=to_json(make_engine()))
        assert (await worker.put("/api/v1/engines/e1/heartbeat")).status_code == 204
        (shown,) = (await api.client("viewer").get("/api/v1/engines")).json()["items"]
        assert (shown["id"], shown["last_seen"]) == ("e1", "2026-11-21T12:00:00.000Z")

    @pytest.mark.parametrize(
        ("path", "body", "says"),
        [
            ("/api/v1/engines", {"id": "e1"}, "workflows is missing"),
            ("/api/v1/engines", {**to_json(make_engine()), "id": ""}, "1 to 128 characters"),
            ("/api/v1/engines/e1/events", {"events": "all"}, "needs to be a list"),
            ("/api/v1/engines/e1/events", {"events": [{}] * 5001}, "at most 5000"),
            ("/api/v1/engines/e1/events", {"events": [{"type": "x"}]}, "workflow_id is missing"),
            ("/api/v1/engines/e1/events", [], "needs to be a list"),
            ("/api/v1/controls/c/ack", {"change_id": "c", "engine_id": "e1", "status": "maybe"}, "applied"),
        ],
    )
    async def test_what_an_engine_sends_wrongly_is_named(
        self, api: Api, path: str, body: object, says: str
    ) -> None:
        answer = await api.client("worker").post(path, json=body)
        assert answer.status_code == 422
        assert says in answer.json()["detail"]

    async def test_too_many_bytes_of_events_are_413(self, api: Api) -> None:
        answer = await api.client("worker").post("/api/v1/engines/e1/events", content=b" " * 8_000_001)
        assert answer.status_code == 413


def make_incident(name: str = "inc_1", **changes: object) -> Incident:
    at = START
    target = Target(agent_id="fact-checker")
    evidence = Evidence("metrics", "94% failed", "sum(x)", at, at, float("nan"), 0.0, "javascript:alert(1)")
    values: dict[str, object] = {
        "alerts": (Alert("f1", "firing", at, {"alertname": "AWFAgentErrors", "x": "<script>"}),),
        "cause": CauseClass.AGENT_ERROR,
        "target": target,
        "hypotheses": (Hypothesis(CauseClass.AGENT_ERROR, target, 0.9, "It fails", (evidence,)),),
        "action": ActionCall("switch_fallback", {"step_id": "draft"}),
        "outcome": ActionOutcome.VERIFIED,
        "decided_by": "rules",
        "timeline": (TimelineEntry(at, "alert", "<b>fires</b>"),),
        **changes,
    }
    return Incident(id=IncidentId(name), status=IncidentStatus.RESOLVED, severity="critical", opened_at=at, **values)  # type: ignore[arg-type]  # fmt: skip


class TestIncidents:
    async def test_an_incident_has_the_documented_shape(self, api: Api) -> None:
        await api.state.incidents.save(make_incident())
        client = api.client("viewer")
        shown = (await client.get("/incidents/inc_1")).json()
        assert shown["alerts"] == [
            {
                "fingerprint": "f1",
                "startsAt": "2026-11-21T12:00:00.000Z",
                "status": "firing",
                "labels": {"alertname": "AWFAgentErrors", "x": "<script>"},
            }
        ]
        assert shown["cause"] == {"class": "agent_error", "target": {"agent_id": "fact-checker"}}
        assert shown["action"] == {
            "name": "switch_fallback", "arguments": {"step_id": "draft"}, "outcome": "verified"
        }  # fmt: skip
        assert (shown["status"], shown["severity"], shown["title"]) == ("resolved", "critical", "It fails")
        assert shown["hypotheses"][0]["evidence"][0]["value"] is None
        assert (await client.get("/incidents")).json() == {"items": [shown], "next_cursor": None}

    async def test_a_fresh_incident_has_neither_cause_nor_action(self, api: Api) -> None:
        fresh = make_incident(cause=None, target=None, hypotheses=(), action=None, outcome=None)
        await api.state.incidents.save(fresh)
        shown = (await api.client("viewer").get("/incidents/inc_1")).json()
        assert (shown["cause"], shown["action"], shown["title"]) == (None, None, "AWFAgentErrors")

    async def test_an_unknown_incident_is_404(self, api: Api) -> None:
        answer = await api.client("viewer").get("/incidents/inc_9")
        assert (answer.status_code, answer.json()["detail"]) == (404, "no incident 'inc_9'")


def make_approval(required_role: str = "approver") -> Approval:
    return Approval(
        id=ApprovalId("apr_1"),
        incident_id=IncidentId("inc_1"),
        status=ApprovalStatus.PENDING,
        action=ActionCall("scale_workers", {"workers": 8}),
        summary="Double the workers",
        why_asked="rule ask-scale",
        required_role=required_role,
        created_at=START,
        expires_at=START + timedelta(hours=1),
    )


class TestApprovals:
    async def test_approving_needs_no_body_and_takes_the_name_from_the_token(self, api: Api) -> None:
        await api.state.approvals.create(make_approval())
        client = api.client("approver")
        (pending,) = (await client.get("/approvals/pending")).json()["items"]
        assert pending["id"] == "apr_1"
        answer = await client.post("/approvals/apr_1/approve?approver=mallory")
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["decided_by"]) == ("approved", "a-approver")

    async def test_an_approver_in_the_body_is_ignored(self, api: Api) -> None:
        await api.state.approvals.create(make_approval())
        body = {"reason": " costs too much ", "approver": "mallory"}
        answer = await api.client("approver").post("/approvals/apr_1/reject", json=body)
        assert (answer.json()["status"], answer.json()["decided_by"]) == ("rejected", "a-approver")
        assert answer.json()["reason"] == "costs too much"

    @pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "  "}, {"reason": None}])
    async def test_rejecting_without_a_reason_is_422(self, api: Api, body: object) -> None:
        await api.state.approvals.create(make_approval())
        answer = await api.client("approver").post("/approvals/apr_1/reject", json=body)
        assert answer.status_code == 422
        assert (await api.state.approvals.get(ApprovalId("apr_1"))).status is ApprovalStatus.PENDING

    async def test_unknown_is_404_decided_409_and_expired_410(self, api: Api) -> None:
        client = api.client("approver")
        assert (await client.post("/approvals/apr_1/approve")).status_code == 404
        await api.state.approvals.create(make_approval())
        api.clock.moment += timedelta(hours=2)
        assert (await client.post("/approvals/apr_1/approve")).status_code == 410
        assert (await client.get("/approvals/apr_1")).json()["status"] == "expired"
        api.clock.moment -= timedelta(hours=2)
        assert (await client.post("/approvals/apr_1/approve")).status_code == 200
        answer = await client.post("/approvals/apr_1/reject", json={"reason": "late"})
        assert answer.status_code == 409
        assert "already approved by a-approver" in answer.json()["detail"]

    async def test_a_question_for_admins_is_not_for_approvers(self, api: Api) -> None:
        await api.state.approvals.create(make_approval(required_role="admin"))
        assert (await api.client("approver").post("/approvals/apr_1/approve")).status_code == 403
        assert (await api.client("admin").post("/approvals/apr_1/approve")).status_code == 200


class TestHealth:
    async def test_readiness_names_what_is_not_ready_and_why(self, api: Api) -> None:
        async def good() -> None:
            return

        async def bad() -> None:
            raise Unavailable("grafana at http://127.0.0.1:3000 does not answer")

        client = api.client(readiness={"state": good, "grafana": bad})
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["not_ready"] == ["grafana"]
        assert "127.0.0.1:3000" in answer.json()["checks"]["grafana"]
        assert (await api.client(readiness={"state": good}).get("/readyz")).status_code == 200

    async def test_metrics_are_in_the_prometheus_text_format(self, api: Api) -> None:
        api.runtime.counters.add("awf_watcher_alerts_total", status="firing")
        answer = await api.client("viewer").get("/metrics")
        assert 'awf_watcher_alerts_total{status="firing"} 1.0' in answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/nowhere", 404),
            ("DELETE", "/incidents", 405),
            ("GET", "/executions?limit=0", 422),
            ("GET", "/executions?limit=many", 422),
            ("GET", "/audit?cursor=zz", 422),
            ("GET", "/incidents?status=fine", 422),
        ],
    )
    async def test_every_error_is_a_problem(self, api: Api, method: str, path: str, status: int) -> None:
        answer = await api.client("viewer").request(method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code == status
        assert set(answer.json()) >= {"type", "title", "detail", "reason", "hint"}

    async def test_the_audit_log_is_listed_and_verified(self, api: Api) -> None:
        await api.client("operator").post("/watcher/pause")
        client = api.client("viewer")
        (entry,) = (await client.get("/audit")).json()["items"]
        assert (entry["actor"], entry["event"]) == ("a-operator", "watcher.paused")
        assert (await client.get("/audit/verify")).json() == {"status": "intact", "entries": 1}
        assert (await client.get("/watcher")).json() == {"paused": True, "approvals_pending": 0}
        await api.state.database.write(
            lambda conn: conn.exec_driver_sql("UPDATE audit SET actor = 'nobody'").rowcount
        )
        answer = await client.get("/audit/verify")
        assert (answer.status_code, answer.json()["detail"]) == (
            409,
            "audit entry 1 was changed after it was written",
        )
