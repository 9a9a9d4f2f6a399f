"""Hostile text on the pages, in a real Chromium: it is shown as it is, and is neither markup nor script."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page

from awf.core.incidents import (
    ActionCall,
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
from awf.core.types import ApprovalId, EngineId, IncidentId
from awf.state import State
from tests.e2e.browser import browser_page
from tests.security._strings import HOSTILE
from tests.security._threaded import service_in_thread
from tests.unit.api._parts import make_engine, make_event

APPROVAL = ApprovalId("apr_hostile")
MARKS = """() => ({
  scripts: [...document.scripts].filter(s => !s.src.startsWith(location.origin + '/ui/static/')).length,
  elements: document.querySelectorAll('img, iframe, svg, object, embed, base, style, meta[http-equiv]').length,
  handlers: [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => /^on/.test(n)),
  links: [...document.querySelectorAll('a, form')].map(e => e.href || e.action).filter(u => !/^https?:/.test(u)),
  foreign: [...document.querySelectorAll('form')].map(f => f.action).filter(u => !u.startsWith(location.origin)),
  hx: [...document.querySelectorAll('[hx-get], [hx-post]')].map(e => e.getAttribute('hx-get')),
  text: document.body.innerText + [...document.querySelectorAll('[title]')].map(e => e.title).join(),
})"""


def hostile_incident(now: datetime) -> tuple[Incident, Approval]:
    """An incident and its question that have the strings in every field which holds text."""
    texts = " | ".join(HOSTILE)
    targets = [Target(text, text, text, text, text) for text in HOSTILE]
    evidence = tuple(Evidence("logs", text, text, now, now, link=text) for text in HOSTILE)
    alerts = tuple(
        Alert(
            f"f{number}", "firing", now, {"alertname": text, text: text}, {"summary": text, "runbook_url": text},
            generator_url=text,
        )
        for number, text in enumerate(HOSTILE)
    )  # fmt: skip
    steps = [{"workflow_id": text, "step_id": text, text: text} for text in HOSTILE]
    call = ActionCall("switch_fallback", {"steps": steps, "note": texts})
    hypotheses = tuple(
        Hypothesis(CauseClass.AGENT_ERROR, target, 0.9, text, evidence[:3], (text,), tuple(targets[:2]))
        for text, target in zip(HOSTILE, targets, strict=True)
    )
    hypotheses = (replace(hypotheses[0], evidence=evidence), *hypotheses[1:])
    timeline = tuple(TimelineEntry(now, "alert", text, {text: text}) for text in HOSTILE)
    incident = Incident(
        IncidentId("inc_hostile"), IncidentStatus.AWAITING_APPROVAL, texts[:50], alerts, now, CauseClass.AGENT_ERROR,
        targets[0], hypotheses, call, decided_by=texts, approval_id=APPROVAL, timeline=timeline,
    )  # fmt: skip
    approval = Approval(
        APPROVAL, incident.id, ApprovalStatus.PENDING, call, texts, texts, "approver", now, now + timedelta(hours=1),
        blast_radius=texts, alternatives=tuple(HOSTILE), quorum=3, approved_by=(HOSTILE[30],),
    )  # fmt: skip
    return incident, approval


async def fill(state: State, now: datetime) -> None:
    incident, approval = hostile_incident(now)
    await state.incidents.save(incident)
    await state.approvals.create(approval)
    await state.controls.register(make_engine())
    events = [
        make_event("workflow.started", "x1", "e0"),
        *(
            {**make_event("agent.failed", "x1", f"e{number}"), "data": {"error": text, "agent_id": text, text: text}}
            for number, text in enumerate(HOSTILE, 1)
        ),
        {**make_event("workflow.failed", "x1", "end"), "data": {"error": " | ".join(HOSTILE)}},
    ]  # fmt: skip
    await state.executions.append_events(EngineId("e1"), events)


def look(page: Page, url: str) -> dict[str, Any]:
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_load_state("load")
    found: dict[str, Any] = page.evaluate(MARKS)
    return found


@pytest.mark.browser
def test_no_page_runs_or_renders_any_of_it() -> None:
    dialogs: list[str] = []
    asked: list[str] = []
    with service_in_thread(fill) as served, browser_page() as page:

        def closed(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", closed)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(served.login)
        paths = ("/ui/incidents", "/ui/incidents/inc_hostile", "/ui/approvals", "/ui/executions/x1")
        shown = {path: look(page, served.url + path) for path in paths}
        links = served.service.runtime.links
        assert links is not None
        shown["decide"] = look(page, served.url + links.url(APPROVAL, "ana").partition("8000")[2])
        for path, found in shown.items():
            assert found["scripts"] == 0, path
            assert found["elements"] == 0, path
            assert found["handlers"] == [], path
            assert found["links"] == [], path
            assert found["foreign"] == [], path
            assert not [each for each in found["hx"] if "pause" in each], path
        for path in ("/ui/incidents/inc_hostile", "decide"):
            for text in ("<script>alert(document.domain)</script>", "{{ 7 * 7 }}", '"} or vector(1) #'):
                assert text in shown[path]["text"], path
        assert page.evaluate("typeof window.pwned") == "undefined"
    assert dialogs == []
    assert [url for url in asked if not url.startswith(served.url)] == []
