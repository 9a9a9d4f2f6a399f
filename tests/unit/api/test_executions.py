"""Executions, engines and streams over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta

import pytest

from awf.core.codec import to_json
from awf.core.types import AckStatus, ControlAck, EngineId
from tests.unit.api._parts import Api, make_engine, make_event, make_incident


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

    async def test_the_callers_trace_goes_along_to_the_engine(self, api: Api) -> None:
        await api.state.controls.register(make_engine())
        traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

        async def take() -> object:
            change = await anext(api.state.controls.changes(EngineId("e1"), after_token=0))
            await api.state.controls.acknowledge(ControlAck(change.id, EngineId("e1"), AckStatus.APPLIED, {}))
            return change.arguments["traceparent"]

        path = "/workflows/report/executions"
        _, told = await asyncio.gather(
            api.client("operator").post(path, headers={"traceparent": traceparent}), take()
        )
        assert told == traceparent

    @pytest.mark.parametrize("value", ["NaN", "1e999", '"\\ud800"'])
    async def test_an_input_that_is_odd_json_can_be_listed_afterwards(self, api: Api, value: str) -> None:
        await api.state.controls.register(make_engine())
        client = api.client("admin")
        body = f'{{"input": {{"topic": {value}}}}}'
        headers = {"Content-Type": "application/json"}
        await client.post("/workflows/report/executions", content=body, headers=headers)
        for path in ("/executions", "/ui/executions"):
            assert (await client.get(path)).status_code == 200
        for item in (await client.get("/executions")).json()["items"]:
            assert (await client.get(f"/executions/{item['id']}")).status_code == 200
            assert (await client.get(f"/ui/executions/{item['id']}")).status_code == 200

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
            ("/api/v1/engines", {**to_json(make_engine()), "id": ""}, "1 to 128 printable"),
            ("/api/v1/engines", {**to_json(make_engine()), "id": "e\n"}, "1 to 128 printable"),
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

    async def test_a_token_that_no_database_holds_is_refused_before_the_stream_begins(self, api: Api) -> None:
        await api.state.controls.register(make_engine())
        params = {"engine_id": "e1", "after_token": str(2**63)}
        answer = await api.client("worker").get("/api/v1/controls", params=params)
        assert (answer.status_code, answer.json()["field"]) == (422, "after_token")

    async def test_too_many_bytes_of_events_are_413(self, api: Api) -> None:
        answer = await api.client("worker").post("/api/v1/engines/e1/events", content=b" " * 8_000_001)
        assert answer.status_code == 413
