"""The product's story in three processes: a fault, an alert, a cause, a fix, a proof; and a question.

The tests share one product and run in order, as the story does.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import transcripts
from tests.e2e.browser import browser_page
from tests.e2e.product import Product

REPOSITORY = Path(__file__).parents[2]
FAULTS = "agent_errors:12,worker_shortage:20"
BROKEN_AGENT = "writer-llm"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product, faults sooner than by default and a shorter settling time, so that CI need not wait."""
    product = Product(
        tmp_path_factory.mktemp("story") / "data",
        AWF_DEMO_FAULTS=FAULTS, AWF_SETTLE_S="5", AWF_GROUP_WAIT_S="1",
    )  # fmt: skip
    product.start()
    yield product
    if product.is_running:
        product.stop()


def _incident(product: Product, cause: str, *statuses: str) -> dict[str, Any] | None:
    found = product.items("/incidents")
    return next(
        (i for i in found if (i["cause"] or {}).get("class") == cause and i["status"] in statuses), None
    )


def test_metrics_logs_and_traces_arrive_within_a_minute(product: Product) -> None:
    started = time.monotonic()
    now = time.time

    def metrics() -> Any:
        answer = product.query("MIMIR", "/prometheus/api/v1/query", {"query": "sum(awf_workflow_total)"})
        return answer.get("data", {}).get("result")

    def logs() -> Any:
        parameters = {"query": '{service_name="awf-demo"} | workflow_id != ""', "limit": "5"}
        return product.query("LOKI", "/loki/api/v1/query_range", parameters).get("data", {}).get("result")

    def traces() -> Any:
        parameters = {"q": '{ name = "awf.agent.invoke" }', "start": int(now()) - 300, "end": int(now()) + 5}
        return product.query("TEMPO", "/api/search", parameters).get("traces")

    product.wait_for("metrics", metrics, 60)
    product.wait_for("logs", logs, 60)
    product.wait_for("traces", traces, 60)
    print(f"first data after {time.monotonic() - started:.1f} s")


def test_a_failing_agent_is_found_and_worked_around_without_a_person(product: Product) -> None:
    incident = product.wait_for(
        "resolved incident", lambda: _incident(product, "agent_error", "resolved"), 180
    )
    assert incident["cause"]["target"]["agent_id"] == BROKEN_AGENT
    assert incident["action"]["name"] == "switch_fallback"
    assert incident["action"]["outcome"] == "verified"
    assert incident["decided_by"] == "rules"
    best = incident["hypotheses"][0]
    assert BROKEN_AGENT in best["summary"]
    assert {evidence["signal"] for evidence in best["evidence"]} >= {"metrics", "logs", "traces"}
    assert all(evidence["query"] for evidence in best["evidence"])


def test_the_fix_can_be_seen_in_the_traffic_that_came_after_it(product: Product) -> None:
    query = f'sum(rate(awf_agent_invocations_total{{agent_id="{BROKEN_AGENT}"}}[30s])) or vector(0)'

    def nobody_calls_it() -> bool:
        answer = product.query("MIMIR", "/prometheus/api/v1/query", {"query": query})
        result = answer.get("data", {}).get("result", [])
        return bool(result) and float(result[0]["value"][1]) == 0.0

    product.wait_for("end of calls of the broken agent", nobody_calls_it, 60)


def test_the_remediation_is_annotated_in_grafana(product: Product) -> None:
    def annotations() -> Any:
        return product.annotations(["awf", "remediation"])

    found = product.wait_for("annotation", annotations, 30)
    assert any("switch_fallback" in item["text"] for item in found)


def test_the_incident_is_a_trace_and_no_webhook_was_missed(product: Product) -> None:
    def trace() -> Any:
        query = '{ name = "awf.incident" && span.outcome = "verified" }'
        parameters = {"q": query, "start": int(time.time()) - 600, "end": int(time.time()) + 5}
        return product.query("TEMPO", "/api/search", parameters).get("traces")

    product.wait_for("trace of the incident", trace, 30)
    query = 'max(awf_watcher_reconciled_alerts_total{kind="missed"})'
    result = product.query("MIMIR", "/prometheus/api/v1/query", {"query": query})["data"]["result"]
    assert [value for _, value in (each["value"] for each in result)] == ["0"]


def test_the_incidents_page_is_walked_with_the_keyboard_and_draws_its_evidence(product: Product) -> None:
    with browser_page() as page:
        page.goto(product.login_link())
        page.goto(product.url("API", "/ui/incidents?cause=agent_error"))
        page.keyboard.press("?")
        assert page.get_by_role("dialog", name="Keys").is_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        assert page.locator("tr.at-hand").count() == 1
        page.keyboard.press("Enter")
        page.locator(".evidence-chart path.line").first.wait_for(timeout=20_000)
        page.get_by_text("Why this action").click()
        assert page.get_by_text("built-in: switch_fallback").is_visible()


def test_what_needs_a_person_waits_and_is_carried_out_from_the_page(product: Product) -> None:
    approval = product.wait_for(
        "pending approval",
        lambda: next(
            (i for i in product.items("/approvals/pending") if i["action"]["name"] == "scale_workers"), None
        ),
        180,
    )
    with browser_page() as page:
        page.goto(product.login_link())
        page.get_by_role("link", name="Approvals").first.click()
        page.get_by_role("button", name="Approve scale_workers").click()
        page.wait_for_load_state()
    decided = product.api("GET", f"/approvals/{approval['id']}").json()
    assert decided["status"] == "approved"
    assert decided["decided_by"] == "admin"
    incident = product.wait_for(
        "resolved saturation", lambda: _incident(product, "worker_saturation", "resolved"), 180
    )
    assert incident["action"] == {
        "name": "scale_workers", "arguments": incident["action"]["arguments"], "outcome": "verified"
    }  # fmt: skip


def test_the_incident_page_tells_what_was_wrong_and_what_was_done(product: Product) -> None:
    incident = _incident(product, "agent_error", "resolved")
    assert incident is not None
    with browser_page(width=390, height=800) as page:
        page.goto(product.login_link())
        page.goto(product.url("API", f"/ui/incidents/{incident['id']}"))
        text = page.inner_text("main")
        assert BROKEN_AGENT in text
        assert re.search("switch_fallback", text)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0
        page.goto(product.url("API", "/ui/executions"))
        assert "research-report" in page.inner_text("main")


def test_the_audit_chain_is_whole(product: Product) -> None:
    answer = product.api("GET", "/audit/verify")
    assert answer.status_code == 200
    assert answer.json()["entries"] > 0


def test_the_quick_start_prints_what_it_says(product: Product) -> None:
    documented = {"8000": "API", "9009": "MIMIR", "3100": "LOKI", "3200": "TEMPO"}
    ports = {port: str(product.ports[name]) for port, name in documented.items()}
    token = (product.data_dir / "admin-token").read_text().strip()
    path = f"{Path(sys.executable).parent}:{product.environ['PATH']}"
    environ = product.environ | {"TOKEN": token, "PATH": path}
    ran = 0
    for command, expected in transcripts.commands(REPOSITORY / "docs/quickstart.md"):
        if command.startswith("export "):
            continue
        printed = transcripts.run(command, environ, ports)
        assert transcripts.matches(expected, printed), f"{command}\nprinted {printed}\nexpected {expected}"
        ran += 1
    assert ran > 10


def test_ctrl_c_stops_everything_and_a_second_start_finds_the_data(product: Product) -> None:
    resolved = _incident(product, "agent_error", "resolved")
    assert resolved is not None
    product.stop()
    product.environ["AWF_DEMO_FAULTS"] = ""
    product.start("--no-demo")
    incident = product.wait_for("earlier incident", lambda: _incident(product, "agent_error", "resolved"), 40)
    assert incident["id"] == resolved["id"]
    query = {"query": "max(max_over_time(awf_executions_active[30m]))"}
    answer = product.wait_for(
        "earlier samples",
        lambda: product.query("MIMIR", "/prometheus/api/v1/query", query).get("data", {}).get("result"), 30,
    )  # fmt: skip
    assert answer
    product.stop()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_nothing_of_the_product_runs_on_after_it_stopped(product: Product) -> None:
    marker = str(product.data_dir).encode()
    left = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/environ")
        if path.parent.name != str(product.pid) and marker in _read(path)
    ]
    assert left == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
