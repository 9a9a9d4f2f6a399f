"""The pages as a browser gets them: what they show, escape, refuse and ask."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from awf.api.ui.arguments import shown_arguments
from awf.api.ui.event_rows import event_row
from awf.api.ui.words import ACTION_WORDS, STATUS_WORDS, ago, duration, number, sentence, web_link
from awf.core.incidents import ActionCall, ActionOutcome, Alert, ApprovalStatus, IncidentStatus
from awf.core.registry import discover
from awf.core.types import ApprovalId, EngineId, ExecutionStatus
from awf.remediation.spec import ActionSpec
from tests.unit.api._parts import Api, make_approval, make_engine, make_event, make_incident

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PAGES = ["/ui/login", "/ui/incidents", "/ui/incidents/inc_1", "/ui/approvals", "/ui/executions", "/ui/runbooks",
         "/ui/executions/x1", "/docs", "/ui/nowhere"]  # fmt: skip


async def log_in(api: Api, role: str = "admin") -> httpx.AsyncClient:
    client = api.client()
    await client.post("/ui/login", data={"token": api.tokens[role]})
    return client


def csrf_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


async def fill(api: Api) -> None:
    """One incident that asks, its approval, and one failed execution."""
    asking = replace(
        make_incident(),
        status=IncidentStatus.AWAITING_APPROVAL,
        outcome=None,
        approval_id=ApprovalId("apr_1"),
    )
    await api.state.incidents.save(asking)
    await api.state.approvals.create(make_approval())
    await api.state.controls.register(make_engine())
    await api.state.executions.append_events(EngineId("e1"), [make_event("workflow.failed", "x1", "v1")])


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_has_inline_code_or_reaches_another_host(api: Api, path: str) -> None:
    await fill(api)
    answer = await (await log_in(api)).get(path)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)
    assert not re.search(r"\bon\w+=|\bstyle=|<style|javascript:", answer.text)
    assert not re.search(r'(src|href|action|hx-get)="(https?:)?//', answer.text)
    for asset in set(re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', answer.text)):
        assert (await api.client().get(asset)).status_code == 200


async def test_an_incident_says_what_is_wrong_what_was_done_and_what_is_asked(api: Api) -> None:
    await fill(api)
    page = (await (await log_in(api)).get("/ui/incidents/inc_1")).text
    order = [page.index(text) for text in ("What is wrong", "What was done", "What is asked of you")]
    assert order == sorted(order)
    assert order[-1] < page.index("Approve scale_workers") < page.index("Hypotheses")
    for text in ("Agent fact-checker", "Double the workers", "rule ask-scale", "94% failed", "sum(x)"):
        assert text in page


async def test_text_from_telemetry_is_escaped_and_its_links_are_checked(api: Api) -> None:
    await api.state.incidents.save(make_incident())
    page = (await (await log_in(api)).get("/ui/incidents/inc_1")).text
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;fires" in page
    assert "<b>fires" not in page
    assert "javascript:" not in page


async def test_an_approval_is_given_in_the_page(api: Api) -> None:
    await fill(api)
    client = await log_in(api, "approver")
    token = csrf_in((await client.get("/ui/approvals")).text)
    answer = await client.post("/ui/approvals/apr_1/approve", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/incidents/inc_1")
    decided = await api.state.approvals.get(ApprovalId("apr_1"))
    assert (decided.status, decided.decided_by) == (ApprovalStatus.APPROVED, "a-approver")
    page = (await client.get("/ui/incidents/inc_1")).text
    assert "approved by a-approver" in page
    assert "Approve scale_workers" not in page


async def test_a_rejection_in_the_page_needs_a_reason(api: Api) -> None:
    await fill(api)
    client = await log_in(api, "approver")
    form = {"csrf_token": csrf_in((await client.get("/ui/approvals")).text)}
    answer = await client.post("/ui/approvals/apr_1/reject", data={**form, "reason": "  "})
    assert answer.status_code == 422
    assert "a rejection needs a reason" in answer.text
    await client.post("/ui/approvals/apr_1/reject", data={**form, "reason": "not now"})
    assert (await api.state.approvals.get(ApprovalId("apr_1"))).reason == "not now"
    again = await client.post("/ui/approvals/apr_1/approve", data=form)
    assert again.status_code == 409
    assert "already rejected by a-approver" in again.text


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_who_may_not_decide_sees_why_instead_of_buttons(api: Api, role: str) -> None:
    await fill(api)
    page = (await (await log_in(api, role)).get("/ui/approvals")).text
    assert f"Your role {role} cannot decide this" in page
    assert "Approve scale_workers" not in page


async def test_a_paused_watcher_shows_on_every_page(api: Api) -> None:
    client = await log_in(api, "operator")
    token = csrf_in((await client.get("/ui/incidents")).text)
    await client.post("/ui/watcher/pause", data={"csrf_token": token})
    for path in ("/ui/incidents", "/ui/approvals", "/ui/executions"):
        assert "The watcher is paused" in (await client.get(path)).text


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/ui/incidents", "its incident appears here"),
        ("/ui/approvals", "it appears here"),
        ("/ui/executions", "Executions appear here"),
        ("/ui/executions?status=failed", "No execution matches this filter"),
    ],
)
async def test_an_empty_page_says_what_would_appear(api: Api, path: str, says: str) -> None:
    assert says in (await (await log_in(api)).get(path)).text


async def test_open_incidents_come_before_closed_ones(api: Api) -> None:
    await api.state.incidents.save(replace(make_incident("inc_old"), status=IncidentStatus.HELD))
    await api.state.incidents.save(make_incident("inc_new"))
    page = (await (await log_in(api)).get("/ui/incidents")).text
    assert page.index("inc_old") < page.index("Closed") < page.index("inc_new")


async def test_executions_are_filtered_and_older_ones_linked(api: Api) -> None:
    events = [make_event("workflow.completed", f"x{index}", f"v{index}") for index in range(51)]
    await api.state.executions.append_events(EngineId("e1"), events)
    client = await log_in(api)
    page = (await client.get("/ui/executions?status=completed")).text
    assert page.count("<tr>") == 51  # the header and 50 rows
    older = re.search(r'href="(/ui/executions\?[^"]+cursor=[^"]+)"', page)
    assert older is not None
    page = (await client.get(older[1].replace("&amp;", "&"))).text
    assert ">x0<" in page


async def test_an_error_is_a_page_with_the_reason_and_a_way_back(api: Api) -> None:
    answer = await (await log_in(api)).get("/ui/incidents/inc_9")
    assert answer.status_code == 404
    assert "no incident &#39;inc_9&#39;" in answer.text
    assert 'href="/ui/incidents"' in answer.text


def test_every_state_and_action_has_words() -> None:
    assert set(STATUS_WORDS) == {*IncidentStatus, *ExecutionStatus}
    assert set(ACTION_WORDS) == set(discover("awf.remediation.actions", ActionSpec))


async def test_nested_arguments_are_a_table_not_json(api: Api) -> None:
    steps = [{"workflow_id": "report", "step_id": "draft", "factor": 1.5}, {"workflow_id": "<i>Triage"}]
    action = ActionCall("increase_timeout", {"steps": steps})
    await api.state.incidents.save(make_incident(action=action))
    page = (await api.client("viewer").get("/ui/incidents/inc_1")).text
    assert "<th>Workflow</th><th>Step</th><th>Factor</th>" in page
    assert "<td>report</td><td>draft</td><td>1.5</td>" in page
    assert "<td>&lt;i&gt;Triage</td><td>none</td><td>none</td>" in page
    assert "workflow_id" not in page


def test_arguments_of_any_form_are_shown_in_words() -> None:
    shown = shown_arguments({"agent_id": "a", "on": True, "ids": ["x", 2], "steps": [], "deep": {"k": [1]}})
    assert [(each.label, each.text) for each in shown] == [
        ("Agent", "a"), ("On", "yes"), ("Ids", "x, 2"), ("Steps", "none"), ("Deep", '{"k": [1]}')
    ]  # fmt: skip
    assert len(shown_arguments({"text": "x" * 5000})[0].text) == 2001


async def test_an_alert_leads_to_its_runbook(api: Api) -> None:
    await api.state.incidents.save(make_incident())
    client = api.client("viewer")
    assert 'href="/ui/runbooks#awfagenterrors"' in (await client.get("/ui/incidents/inc_1")).text
    page = (await client.get("/ui/runbooks")).text
    assert 'id="awfagenterrors"' in page
    assert "<code>switch_fallback</code>" in page
    assert "`" not in page


async def test_an_alert_of_others_leads_to_its_own_runbook_if_that_is_on_the_web(api: Api) -> None:
    for url, is_link in (("https://wiki.example/x", True), ("javascript:alert(1)", False), ("a.md", False)):
        alert = Alert("f9", "firing", NOW, {"alertname": "Theirs"}, {"runbook_url": url})
        await api.state.incidents.save(make_incident(alerts=(alert,)))
        page = (await api.client("viewer").get("/ui/incidents/inc_1")).text
        assert (f'href="{url}"' in page) is is_link


def test_ids_keep_their_spelling_at_the_start_of_a_sentence() -> None:
    assert sentence("agent GPT-Writer") == "Agent GPT-Writer"


async def test_an_incident_in_any_state_has_a_page(api: Api) -> None:
    client = api.client("viewer")
    for status in IncidentStatus:
        for outcome in (None, *ActionOutcome):
            await api.state.incidents.save(replace(make_incident(), status=status, outcome=outcome))
            assert (await client.get("/ui/incidents/inc_1")).status_code == 200, (status, outcome)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago"), (-120, "in 2 min")],
)  # fmt: skip
def test_times_are_relative(seconds: int, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_numbers_have_units_and_few_digits() -> None:
    assert [duration(ms) for ms in (None, 12.3, 1234, 90_000)] == ["", "12 ms", "1.23 s", "1.5 min"]
    values = (None, 3.0, 1234567.0, 0.94187, float("nan"), float("inf"), 1e300)
    assert [number(value) for value in values] == [
        "", "3", "1,234,567", "0.9419", "nan", "inf", "1e+300"
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil", "http://[", "", "/x"])
def test_only_web_addresses_become_links(url: str) -> None:
    assert web_link(url) == ""


def test_an_event_of_any_form_becomes_a_row() -> None:
    garbage = {"time_ns": "x", "metrics": [1], "attempt": {}, "error": None, "step_id": ["s"] * 1000}
    row = event_row(garbage)
    assert (row.at, row.duration_ms, row.tokens, row.attempt) == (None, None, None, "")
    assert len(row.step) == 500
    timed = {"metrics": {"execution_time_ms": 1800}}
    assert event_row({"type": "workflow.step.completed", **timed}).duration_ms == 1800
    assert event_row({"type": "workflow.completed", **timed}).duration_ms is None
    assert event_row({"metrics": {"token_usage": {"input_tokens": float("nan")}}}).type == ""
