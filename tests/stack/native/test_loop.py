"""The whole loop on real stores: a fault of the demo, a rule in the real Prometheus, a signed webhook, the watcher
that asks the real Prometheus, Loki and Tempo through the real mcp-grafana, a fix, and a proof that it worked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.native import _queries as ask
from tests.stack.native._workload import Workload

BROKEN_AGENT = "writer-llm"
CALLS = f'sum(rate(awf_agent_invocations_total{{agent_id="{BROKEN_AGENT}"}}[30s]))'


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    Workload.require(alerts=True)
    product = Workload(
        tmp_path_factory.mktemp("loop"), mcp_servers=True,
        AWF_DEMO_FAULTS="agent_errors:20", AWF_DEMO_RATE="3", AWF_WORKERS="16", AWF_SETTLE_S="5",
    )  # fmt: skip
    try:
        yield product.start()
    finally:
        product.stop()


@pytest.fixture(scope="module")
def incident(product: Workload) -> dict[str, Any]:
    """The incident of the broken agent, once it is closed."""

    def closed() -> dict[str, Any] | None:
        open_ones = {"investigating", "awaiting_approval", "acting", "verifying"}
        of_agent = [
            each for each in product.items("/incidents")
            if (each["cause"] or {}).get("class") == "agent_error" and each["status"] not in open_ones
        ]  # fmt: skip
        return next(iter(of_agent), None)

    incident = product.wait_for("closed incident of the broken agent", closed, 240)
    assert incident["status"] == "resolved", "\n".join(
        f"{each['at']} {each['kind']} {each['text']}" for each in incident["timeline"]
    )
    return incident


def test_a_fault_becomes_a_verified_fix_without_a_person(incident: dict[str, Any]) -> None:
    assert incident["cause"]["target"]["agent_id"] == BROKEN_AGENT
    assert incident["action"]["name"] == "switch_fallback"
    assert incident["action"]["outcome"] == "verified"
    assert incident["decided_by"] == "rules"


def test_the_alert_came_from_prometheus_and_its_webhook_was_taken(
    product: Workload, incident: dict[str, Any]
) -> None:
    assert {alert["labels"]["alertname"] for alert in incident["alerts"]} & {
        "AWFAgentErrors",
        "AWFWorkflowFailures",
    }
    assert product.grafana.refused_webhooks() == [], "a webhook with a valid signature is taken"


def test_the_evidence_is_of_all_three_stores(incident: dict[str, Any]) -> None:
    best = incident["hypotheses"][0]
    assert BROKEN_AGENT in best["summary"]
    assert {evidence["signal"] for evidence in best["evidence"]} >= {"metrics", "logs", "traces"}
    assert all(evidence["query"] for evidence in best["evidence"])


def test_every_query_of_the_investigation_was_answered(incident: dict[str, Any]) -> None:
    said = " ".join(each["text"] for each in incident["timeline"])
    assert "not looked at" not in said, said


def test_the_remediation_is_annotated(product: Workload, incident: dict[str, Any]) -> None:
    found = product.grafana.annotations_tagged(["awf", "remediation"])
    assert any("switch_fallback" in each["text"] for each in found)


def test_nobody_calls_the_broken_agent_any_more(product: Workload, incident: dict[str, Any]) -> None:
    product.wait_for(
        "end of calls of the broken agent",
        lambda: ask.value(product.stack, f"{CALLS} or vector(0)") == 0.0,
        60,
    )


def test_the_failed_trace_that_the_evidence_names_is_in_tempo(
    product: Workload, incident: dict[str, Any]
) -> None:
    said = [each["statement"] for each in incident["hypotheses"][0]["evidence"] if each["signal"] == "traces"]
    trace_id = said[0].split()[1].rstrip(":")
    spans = ask.spans(product.stack, trace_id.rjust(32, "0"))
    assert any(span.get("status", {}).get("code") == "STATUS_CODE_ERROR" for span in spans)
