"""The demo's other faults on real stores, one after the other: is the cause found, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.native._workload import Workload

OPEN = {"investigating", "acting", "verifying"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    Workload.require(alerts=True)
    product = Workload(
        tmp_path_factory.mktemp("causes"),
        AWF_DEMO_FAULTS="", AWF_SETTLE_S="5",
    )  # fmt: skip
    try:
        yield product.start()
    finally:
        product.stop()


@pytest.mark.parametrize(
    ("fault", "cause", "status"),
    [
        ("rate_limit", "rate_limit", "resolved"),
        ("agent_stall", "agent_latency", "resolved"),
        ("worker_shortage", "worker_saturation", "awaiting_approval"),
    ],
)
def test_the_cause_is_found(product: Workload, fault: str, cause: str, status: str) -> None:
    known = {each["id"] for each in product.items("/incidents")}
    product.fault(fault)

    def found() -> dict[str, Any] | None:
        fresh = [each for each in product.items("/incidents") if each["id"] not in known]
        settled = [each for each in fresh if each["cause"] and each["status"] not in OPEN]
        return next((each for each in settled if each["cause"]["class"] == cause), None)

    incident = product.wait_for(f"incident of {cause}", found, 240)
    product.fault(fault, verb="heal")
    story = "\n".join(f"{each['at']} {each['kind']} {each['text']}" for each in incident["timeline"])
    print(story)
    assert incident["status"] == status, story
    investigated = [each for each in incident["timeline"] if each["kind"] == "investigation"]
    assert all(each["detail"]["not_looked_at"] == [] for each in investigated), story
