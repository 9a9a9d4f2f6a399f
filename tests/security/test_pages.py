"""Hostile text on the pages, in a real Chromium: it is shown as it is, and is neither markup nor script."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Dialog, Page

from awf.core.types import EngineId
from awf.state import State
from tests.e2e.browser import browser_page
from tests.security._hostile import APPROVAL, hostile_incident
from tests.security._strings import HOSTILE
from tests.security._threaded import service_in_thread
from tests.unit.api._parts import make_engine, make_event

# What is on a page that our templates do not put there.
MARKS = """() => ({
  scripts: [...document.scripts].map(s => s.src).filter(u => !u.startsWith(location.origin + '/ui/static/')),
  elements: [...document.querySelectorAll('img, iframe, svg, object, embed, base, style, meta[http-equiv]')]
    .map(e => e.outerHTML),
  handlers: [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => /^on/.test(n)),
  links: [...document.querySelectorAll('a, form')].map(e => e.href || e.action).filter(u => !/^https?:/.test(u)),
  foreign: [...document.querySelectorAll('form')].map(f => f.action).filter(u => !u.startsWith(location.origin)),
  hx: [...document.querySelectorAll('[hx-get], [hx-post]')].map(e => e.getAttribute('hx-get') || '')
    .filter(u => /pause/.test(u)),
  text: document.body.innerText + [...document.querySelectorAll('[title]')].map(e => e.title).join(),
})"""
INTRUDE = """() => {
  const inline = document.createElement('script');
  inline.textContent = 'window.pwned = 1';
  document.body.append(inline);
  const holder = document.createElement('div');
  document.body.append(holder);
  holder.innerHTML = '<img src="/ui/static/none" onerror="window.pwned = 1">';
  const button = document.createElement('button');
  button.setAttribute('onclick', 'window.pwned = 1');
  document.body.append(button);
  button.click();
}"""


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
    """Open a page, say what is on it, and try to run a script on it as if one had got in."""
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_load_state("load")
    found: dict[str, Any] = page.evaluate(MARKS)
    page.evaluate(INTRUDE)
    found["ran"] = page.evaluate("typeof window.pwned")
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
        decide = urlsplit(served.service.links.url(APPROVAL, "ana"))
        shown["decide"] = look(page, f"{served.url}{decide.path}?{decide.query}")
        for path, found in shown.items():
            for what in ("scripts", "elements", "handlers", "links", "foreign", "hx"):
                assert found[what] == [], (path, what)
            assert found["ran"] == "undefined", path
        for path in ("/ui/incidents/inc_hostile", "decide"):
            for text in ("<script>alert(document.domain)</script>", "{{ 7 * 7 }}", '"} or vector(1) #'):
                assert text in shown[path]["text"], path
        page.goto(f"{served.url}/ui/incidents/inc_hostile")
        page.get_by_text("What was ruled out").click()
        for part in ("#ruled-out", "#not-looked-at"):
            assert page.locator(f"{part} li:visible").count() == len(HOSTILE), part
        assert "{{ 7 * 7 }}" in page.locator("#advice").inner_text()
    assert dialogs == []
    assert [url for url in asked if not url.startswith(served.url)] == []
