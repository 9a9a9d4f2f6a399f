"""Incidents, approvals, health and the audit log over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from awf.core.incidents import ApprovalStatus
from awf.core.types import ApprovalId
from awf.errors import Unavailable
from tests.unit.api._parts import Api, make_approval, make_incident


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

    async def test_the_watcher_does_not_approve_what_it_asks(self, api: Api) -> None:
        await api.state.approvals.create(make_approval())
        token = await api.state.tokens.create("awf-watcher", "approver")
        headers = {"authorization": f"Bearer {token}"}
        answer = await api.client().post("/approvals/apr_1/approve", headers=headers)
        assert (answer.status_code, "the watcher does not approve" in answer.text) == (403, True)


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
        assert (await client.get("/watcher")).json() == {
            "paused": True, "approvals_pending": 0, "services": []
        }  # fmt: skip
        await api.state.database.write(
            lambda conn: conn.exec_driver_sql("UPDATE audit SET actor = 'nobody'").rowcount
        )
        answer = await client.get("/audit/verify")
        assert (answer.status_code, answer.json()["detail"]) == (
            409,
            "audit entry 1 was changed after it was written",
        )
