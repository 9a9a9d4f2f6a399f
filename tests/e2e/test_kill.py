"""`kill -9` of the service at random moments of an incident: one action, and the incident goes on."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.e2e.product import Product

AGENT, STEP = "writer-llm", "draft"
SECRET = "a shared secret of this test"
KILLS = 4
FAILED = f'sum(awf_agent_invocations_total{{agent_id="{AGENT}",status="failed"}})'


class Parts(Product):
    """The product's processes, each started and killed alone."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        super().__init__(data_dir, **settings)
        data_dir.mkdir()
        (data_dir / "webhook-secret").write_text(SECRET)
        (data_dir / "grafana-token").write_text("the token of the embedded Grafana")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, name: str) -> None:
        with self.terminal.open("ab") as stream:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "awf", name], env=self.environ, stdout=stream, stderr=stream
            )

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait(timeout=10)

    def stop_all(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)
        for process in self._processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)

    def deliver(self, alert: dict[str, Any]) -> bool:
        """Post a signed alert as Grafana does; whether it was taken."""
        body = json.dumps({"alerts": [alert]}).encode()
        now = int(time.time())
        headers = {SIGNATURE_HEADER: sign(SECRET, body, now), TIMESTAMP_HEADER: str(now)}
        with contextlib.suppress(httpx.HTTPError):
            url = self.url("API", "/webhooks/grafana-alerts")
            return httpx.post(url, content=body, headers=headers, timeout=10).status_code == 202
        return False

    def failures(self) -> float:
        """Return how many invocations of the broken agent have failed."""
        answer = self.query("MIMIR", "/prometheus/api/v1/query", {"query": FAILED})
        found = answer.get("data", {}).get("result") or [{"value": [0, "0"]}]
        return float(found[0]["value"][1])

    def orders(self) -> list[dict[str, Any]]:
        """Return every change that engines were ever told to make."""
        with contextlib.closing(sqlite3.connect(self.data_dir / "state.db", timeout=10)) as state:
            found = state.execute("SELECT doc FROM changes ORDER BY token").fetchall()
        return [json.loads(doc) for (doc,) in found]


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    (tmp_path / "no-rules").mkdir()  # the only alert is ours, so that it comes when we say
    parts = Parts(
        tmp_path / "data",
        AWF_DEMO_FAULTS="agent_errors:6", AWF_DEMO_RATE="3", AWF_WORKERS="16", AWF_SETTLE_S="4",
        AWF_RULES_DIR=str(tmp_path / "no-rules"),
    )  # fmt: skip
    for name in ("embedded", "serve"):
        parts.run(name)
    yield parts
    parts.stop_all()


def test_a_service_killed_again_and_again_acts_once_and_finishes(parts: Parts) -> None:
    seed = time.time_ns()
    print(f"kills are drawn with the seed {seed}")
    draw = random.Random(seed)
    parts.wait_for("service", parts.is_ready, 40)
    parts.run("demo")
    parts.wait_for("failures", lambda: parts.failures() >= 10, 60)
    alert = {
        "status": "firing", "labels": {"alertname": "AWFAgentErrors", "agent_id": AGENT, "severity": "critical"},
        "annotations": {}, "startsAt": datetime.now(UTC).isoformat(), "fingerprint": "killed",
    }  # fmt: skip
    assert parts.deliver(alert)
    for _ in range(KILLS):
        time.sleep(draw.uniform(0.0, 1.2))
        parts.kill("serve")
        parts.run("serve")
        parts.wait_for("service", parts.is_ready, 40)

    def closed() -> dict[str, Any] | None:
        found = parts.items("/incidents")
        return next(
            (each for each in found if each["status"] in ("resolved", "escalated", "inconclusive")), None
        )

    incident = parts.wait_for("closed incident", closed, 60)
    story = "\n".join(f"{each['at']} {each['kind']} {each['text']}" for each in incident["timeline"])
    assert incident["status"] == "resolved", story
    assert incident["action"]["outcome"] == "verified", story
    assert len(parts.items("/incidents")) == 1
    orders = parts.orders()
    assert [each["kind"] for each in orders] == ["set_fallback_forced"], orders
    assert orders[0]["arguments"]["step_id"] == STEP
    assert parts.deliver(alert), "a repeat is taken, and is no news"
    assert len(parts.items("/incidents")) == 1
    assert parts.api("GET", "/audit/verify").status_code == 200
