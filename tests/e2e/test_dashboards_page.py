"""Every generated dashboard in a real Chromium, over a running embedded stack with the demo and a fault in it.

With AWF_TEST_SCREENSHOTS=docs/images the same run writes the pictures of the documentation, after more minutes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.e2e import kinds, pictures
from tests.e2e.browser import browser_page
from tests.e2e.product import Product

REPOSITORY = Path(__file__).parents[2]
BOARDS = sorted(path.stem for path in (REPOSITORY / "dashboards").glob("*.json"))
PICTURES = os.environ.get("AWF_TEST_SCREENSHOTS", "")
AFTER_THE_FAULT_S = 360.0
# What has nothing to show so soon, or although all is well: nobody was asked, no Alloy runs here, budgets take minutes.
LATER = {"awf-watcher", "awf-slo", "awf-pipeline"}
MAY_BE_EMPTY = {"Least budget left", "Failed steps and invocations"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    faults = "agent_errors:150,worker_shortage:330" if PICTURES else "agent_errors:5"
    product = Product(
        tmp_path_factory.mktemp("dashboards") / "data",
        AWF_DEMO_FAULTS=faults, AWF_SETTLE_S="5", AWF_GROUP_WAIT_S="1", AWF_DEMO_RATE="1",
    )  # fmt: skip
    try:
        product.start()
        product.wait_for("retries", lambda: _on_the_grid(product, "rate(awf_retry_total[1m]) > 0"), 300)
        product.wait_for(
            "durations", lambda: _on_the_grid(product, "rate(awf_step_duration_ms_bucket[1m]) > 0"), 60
        )
        if PICTURES:
            time.sleep(AFTER_THE_FAULT_S)
        yield product
    finally:
        if product.is_running:
            product.stop()


def _on_the_grid(product: Product, expr: str) -> bool:
    """Whether a range query has points where the panels ask for them."""
    end = int(time.time()) // 15 * 15
    parameters = {"query": expr, "start": end - 300, "end": end, "step": 15}
    answer = product.query("MIMIR", "/prometheus/api/v1/query_range", parameters)
    return any(len(series["values"]) > 1 for series in answer.get("data", {}).get("result", []))


@pytest.fixture(scope="module")
def browser(product: Product) -> Iterator[BrowserContext]:
    """A browser that is logged in."""
    with browser_page() as opened:
        opened.goto(product.login_link())
        yield opened.context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A page of it; an error in its scripts, and whatever the console complains about, fails the test."""
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    opened = browser.new_page()
    opened.set_viewport_size({"width": 1480, "height": 2600})
    opened.set_default_timeout(15_000)
    opened.on("console", heard)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    opened.close()
    assert complaints == []


def open_board(
    page: Page, product: Product, uid: str, query: str = "", *, is_whole: bool = True
) -> list[dict[str, str]]:
    """Open a dashboard, wait until every panel has drawn, and return what each shows."""
    page.goto(product.url("API", f"/ui/dashboards/{uid}{query}"))
    page.wait_for_selector("body[data-renewed]")
    if is_whole:
        page.wait_for_selector(".panel:not([data-drawn])", state="detached")
    script = """() => [...document.querySelectorAll('.panel')].map((panel) => ({
      title: panel.querySelector('h3').textContent, drawn: panel.dataset.drawn || '',
      problem: panel.querySelector('.problem')?.innerText || '', notes: panel.querySelector('.notes').innerText}))"""
    return list(page.evaluate(script))


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _fit(page: Page) -> None:
    """Make the window as high as the page, and wait until all that is in it has drawn."""
    page.set_viewport_size({"width": 1320, "height": 600})
    page.set_viewport_size({"width": 1320, "height": page.evaluate("document.documentElement.scrollHeight")})
    page.wait_for_timeout(300)
    page.wait_for_selector(".panel:not([data-drawn])", state="detached")


@pytest.mark.skipif(
    not PICTURES, reason="set AWF_TEST_SCREENSHOTS to the folder of the pictures (make pictures)"
)
@pytest.mark.parametrize("uid", BOARDS)
def test_picture_of_a_dashboard(page: Page, product: Product, uid: str) -> None:
    page.set_viewport_size({"width": 1320, "height": 900})
    open_board(page, product, uid, "?from=now-15m&to=now&refresh=", is_whole=False)
    _fit(page)
    # Rows of what does not run here (Alloy, the stores) are folded: their names stay.
    page.evaluate("""() => document.querySelectorAll('.row').forEach((row) => {
      if ([...row.querySelectorAll('.panel')].every((panel) => panel.dataset.drawn === 'empty')) row.querySelector('h2 button').click(); })""")
    _fit(page)
    page.wait_for_timeout(500)
    target = REPOSITORY / PICTURES / f"dashboard-{uid}.png"
    target.write_bytes(pictures.reduced(page.screenshot()))
    assert target.stat().st_size < 250_000


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_of_a_dashboard_is_drawn_and_fits_a_phone(page: Page, product: Product, uid: str) -> None:
    panels = open_board(page, product, uid, "?from=now-15m&to=now&refresh=")
    assert panels
    said = [f"{panel['problem']}{panel['notes']}" for panel in panels]
    assert [words for words in said if words and not words.strip().endswith("are shown.")] == []
    assert {panel["drawn"] for panel in panels} <= {"yes", "empty"}
    empty = {panel["title"] for panel in panels if panel["drawn"] == "empty"}
    assert empty <= MAY_BE_EMPTY or uid in LATER, empty
    assert overflow(page) <= 0
    page.set_viewport_size({"width": 390, "height": 800})
    assert overflow(page) <= 0


def test_every_kind_of_panel_is_drawn(page: Page, product: Product) -> None:
    """Kinds and choices that no generated dashboard has, on the data of the same demo."""
    found = product.query("TEMPO", "/api/search", {"q": '{ name = "awf.workflow" }', "limit": 1})
    trace_id = found["traces"][0]["traceID"]
    board = kinds.board(trace_id)
    (product.data_dir / "generated" / "dashboards" / "kinds.json").write_text(json.dumps(board))
    panels = open_board(page, product, "kinds", "?from=now-15m&to=now&refresh=")
    assert {panel["title"]: panel["drawn"] for panel in panels} == {
        each["title"]: "yes" for each in board["panels"]
    }
    assert [panel["problem"] for panel in panels if panel["problem"]] == []
    waterfall = page.locator(".waterfall")
    assert waterfall.locator(".span-bar").count() > 1
    assert trace_id in (waterfall.get_by_role("link").get_attribute("href") or "")
    waterfall.locator("summary").first.click()
    assert "workflow_id" in waterfall.inner_text()


def test_a_dashboard_renews_itself_until_it_is_paused(page: Page, product: Product) -> None:
    open_board(page, product, "awf-overview", "?refresh=5s&viewPanel=2")
    page.wait_for_selector('body[data-renewed="2"]', timeout=60_000)
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("button", name="Resume").is_visible()


def test_a_choice_and_a_time_range_go_into_the_address_and_into_links(page: Page, product: Product) -> None:
    open_board(page, product, "awf-overview")
    page.get_by_role("button", name="Workflow: All").click()
    page.get_by_label("code-review").check()
    page.keyboard.press("Escape")
    page.wait_for_url("**var-workflow=code-review**")
    page.get_by_role("button", name="Time range: Last 30 minutes").click()
    page.get_by_role("button", name="Last 5 minutes", exact=True).click()
    page.wait_for_url("**from=now-5m**")
    page.get_by_role("button", name="Other dashboards").click()
    href = page.get_by_role("link", name="Agent Fleet Health").get_attribute("href") or ""
    assert "from=now-5m" in href
    assert "var-workflow=code-review" in href
    page.reload()
    page.wait_for_selector("body[data-renewed]")
    assert page.get_by_role("button", name="Workflow: code-review").is_visible()


def test_a_panel_can_be_seen_alone_and_a_row_folded(page: Page, product: Product) -> None:
    open_board(page, product, "awf-overview", "?refresh=")
    total = page.locator(".panel:visible").count()
    page.locator(".row > h2 button").filter(has_text="Steps").click()
    assert page.locator(".panel:visible").count() < total
    page.get_by_label("Failed share by workflow alone").click()
    page.wait_for_url("**viewPanel=**")
    assert page.locator(".panel").count() == 1
    page.get_by_label("Back from Failed share by workflow").click()
    assert page.locator(".panel").count() == total


def test_an_exemplar_leads_to_its_trace(page: Page, product: Product) -> None:
    open_board(page, product, "awf-agent-fleet", "?from=now-15m&to=now&refresh=")
    page.wait_for_selector("a.exemplar")
    href = page.locator("a.exemplar").first.get_attribute("href")
    page.goto(product.url("API", href or ""))
    assert "awf.step" in page.inner_text("main")


def test_what_cannot_be_drawn_is_said_by_name(page: Page, product: Product) -> None:
    def answer(route: object) -> None:
        model = {
            "title": "x",
            "panels": [
                {"id": 7, "type": "geomap", "title": "Map", "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8}}
            ],
        }
        route.fulfill(body=json.dumps(model), content_type="application/json")  # type: ignore[attr-defined]

    page.route("**/api/v1/dashboards/awf-overview", answer)
    (panel,) = open_board(page, product, "awf-overview")
    assert "geomap" in panel["problem"]
    assert page.get_by_role("link", name="the dashboard's JSON").is_visible()


def test_a_hostile_label_value_becomes_no_markup_in_panels_and_variables(
    page: Page, product: Product
) -> None:
    name = '<img src=x onerror="document.title=1">'
    now = str(time.time_ns())
    attributes = [
        {"key": "workflow_id", "value": {"stringValue": name}},
        {"key": "status", "value": {"stringValue": "completed"}},
    ]
    points = [{"timeUnixNano": now, "startTimeUnixNano": now, "asInt": "7", "attributes": attributes}]
    total = {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": points}
    body = {
        "resourceMetrics": [
            {"resource": {}, "scopeMetrics": [{"metrics": [{"name": "awf_workflow_total", "sum": total}]}]}
        ]
    }
    assert httpx.post(product.url("OTLP_HTTP", "/v1/metrics"), json=body, timeout=10).status_code == 200
    panels = open_board(page, product, "awf-overview", "?refresh=")
    page.get_by_role("button", name="Workflow: All").click()
    page.get_by_label(name).check()
    page.wait_for_url("**var-workflow=%3Cimg**")
    page.wait_for_timeout(1_000)
    assert page.locator("img").count() == 0
    assert not [panel for panel in panels if panel["problem"]]
    assert "AWF" in page.title()
