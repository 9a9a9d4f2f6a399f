"""The postmortem says what the incident holds, and no text of an alert becomes markup in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from markdown_it import MarkdownIt

from awf.core.incidents import ActionCall, Alert
from tests.unit.api._parts import Api, make_incident

NASTY = '<img src=x onerror="alert(1)"> [click](javascript:alert(1)) **bold** `code` | a | b |\n# heading'


def _html(report: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(report))


async def test_a_report_tells_what_happened_why_and_what_was_done(api: Api) -> None:
    incident = make_incident()
    began = incident.alerts[0].starts_at
    await api.state.incidents.save(replace(incident, resolved_at=began + timedelta(seconds=90)))
    answer = await api.client("viewer").get("/incidents/inc_1/report")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    for said in (
        "# It fails", "| Status | Resolved |", "| Time to recovery | 1.5 min |", "agent fact-checker",
        "Use the fallback agent: done, and fresh traffic shows that it helped", "/ui/incidents/inc_1)",
        "## Timeline", "## Follow-ups",
    ):  # fmt: skip
        assert said in answer.text, said
    assert "<table>" in _html(answer.text)


async def test_text_from_outside_stays_text(api: Api) -> None:
    incident = make_incident()
    alert = replace(
        incident.alerts[0], labels={"alertname": NASTY, "x": NASTY}, annotations={"summary": NASTY}
    )
    hypothesis = incident.hypotheses[0]
    evidence = replace(
        hypothesis.evidence[0], query=f"{{}} |= ``` {NASTY}", statement=NASTY, link="javascript:alert(1)"
    )
    nasty = replace(
        incident,
        alerts=(alert,),
        hypotheses=(replace(hypothesis, summary=NASTY, evidence=(evidence,), against=(NASTY,)),),
        action=ActionCall("switch_fallback", {"step_id": NASTY}),
        decided_by=NASTY,
    )
    await api.state.incidents.save(nasty)
    html = _html((await api.client("viewer").get("/incidents/inc_1/report")).text)
    assert "<img" not in html
    assert "<strong>bold" not in html
    assert 'href="javascript' not in html
    assert html.count("<h1>") == 1
    assert "&lt;img src=x" in html
    assert isinstance(alert, Alert)


async def test_a_fresh_incident_has_a_report_too(api: Api) -> None:
    fresh = make_incident(cause=None, target=None, hypotheses=(), action=None, outcome=None, resolved_at=None)
    await api.state.incidents.save(fresh)
    answer = await api.client("viewer").get("/incidents/inc_1/report")
    assert "No cause was found." in answer.text
    assert (await api.client("viewer").get("/incidents/inc_9/report")).status_code == 404
