"""The fault does not heal by itself: with the watcher paused the same run does not recover."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.product import Product

BROKEN_AGENT = "writer-llm"
FAILED_SHARE = (
    f'sum(rate(awf_agent_invocations_total{{agent_id="{BROKEN_AGENT}",status="failed"}}[30s]))'
    f' / sum(rate(awf_agent_invocations_total{{agent_id="{BROKEN_AGENT}"}}[30s]))'
)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(
        tmp_path_factory.mktemp("paused") / "data",
        AWF_DEMO_FAULTS="agent_errors:10", AWF_SETTLE_S="5", AWF_GROUP_WAIT_S="1",
    )  # fmt: skip
    product.start()
    product.wait_for("API", product.is_ready, 40)
    assert product.api("POST", "/watcher/pause").status_code == 200
    yield product
    product.stop()


def _failed_share(product: Product) -> float | None:
    answer = product.query("MIMIR", "/prometheus/api/v1/query", {"query": FAILED_SHARE})
    result = answer.get("data", {}).get("result")
    return float(result[0]["value"][1]) if result else None


def test_a_paused_watcher_finds_the_cause_and_holds_the_incident(product: Product) -> None:
    def held() -> dict[str, Any] | None:
        return next((i for i in product.items("/incidents") if i["status"] == "held"), None)

    incident = product.wait_for("held incident", held, 120)
    assert incident["cause"]["target"]["agent_id"] == BROKEN_AGENT
    assert product.items("/approvals/pending") == []


def test_without_the_watcher_the_fault_stays(product: Product) -> None:
    deadline = time.monotonic() + 45
    while time.monotonic() < deadline:
        time.sleep(5)
    share = _failed_share(product)
    assert share is not None
    assert share > 0.5
    assert all(incident["status"] == "held" for incident in product.items("/incidents"))


def test_after_resume_the_held_incident_is_remediated(product: Product) -> None:
    assert product.api("POST", "/watcher/resume").status_code == 200

    def resolved() -> dict[str, Any] | None:
        return next((i for i in product.items("/incidents") if i["status"] == "resolved"), None)

    incident = product.wait_for("resolved incident", resolved, 150)
    assert incident["action"]["outcome"] == "verified"


def test_an_approval_can_be_given_over_http(product: Product) -> None:
    product.fault("worker_shortage")

    def asked() -> dict[str, Any] | None:
        pending = product.items("/approvals/pending")
        return next((each for each in pending if each["action"]["name"] == "scale_workers"), None)

    approval = product.wait_for("question about workers", asked, 150)
    answer = product.api("POST", f"/approvals/{approval['id']}/approve")
    assert answer.status_code == 200
    assert product.api("POST", f"/approvals/{approval['id']}/approve").status_code == 409

    def carried_out() -> bool:
        query = {"query": "max(awf_workers)"}
        result = product.query("MIMIR", "/prometheus/api/v1/query", query).get("data", {}).get("result")
        return bool(result) and float(result[0]["value"][1]) == 8.0

    product.wait_for("doubled workers", carried_out, 60)
