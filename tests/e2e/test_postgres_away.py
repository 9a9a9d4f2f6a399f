"""The service on PostgreSQL as a container runs it: the database stops, hangs and comes back; the service stays."""

from __future__ import annotations

import json
import signal
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
from tests.postgres import PASSWORD, Postgres, running_postgres

SECRET = "a shared secret of this test"


class Service(Product):
    """One `awf serve` without a Grafana: the watcher finds nothing, and says so."""

    def __init__(self, data_dir: Path, url: str) -> None:
        secrets = data_dir.with_name("secrets")
        secrets.mkdir()
        files = {
            "DATABASE_PASSWORD": PASSWORD, "WEBHOOK_SECRET": SECRET, "BOOTSTRAP_TOKEN": "an admin of this test",
            "WORKER_TOKEN": "a worker of this test",
        }  # fmt: skip
        for name, secret in files.items():
            (secrets / name).write_text(f"{secret}\n", encoding="utf-8")
        paths = {f"AWF_{name}_FILE": str(secrets / name) for name in files}
        super().__init__(data_dir, AWF_DATABASE_URL=url, AWF_LOG_FORMAT="json", **paths)
        self._service: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        with self.terminal.open("ab") as stream:
            self._service = subprocess.Popen(
                [sys.executable, "-m", "awf", "serve"], env=self.environ, stdout=stream, stderr=stream
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code. Raises TimeoutExpired when something holds up the end."""
        assert self._service is not None
        self._service.send_signal(number)
        try:
            return self._service.wait(timeout=30)
        finally:
            self._service.kill()

    @property
    def is_up(self) -> bool:
        return self._service is not None and self._service.poll() is None

    def deliver(self, name: str) -> httpx.Response:
        """Post a signed alert as Grafana does."""
        alert = {
            "status": "firing", "labels": {"alertname": name, "severity": "critical"}, "annotations": {},
            "startsAt": "2026-11-21T12:00:00Z", "fingerprint": name,
        }  # fmt: skip
        body = json.dumps({"alerts": [alert]}).encode()
        now = int(time.time())
        headers = {SIGNATURE_HEADER: sign(SECRET, body, now), TIMESTAMP_HEADER: str(now)}
        url = self.url("API", "/webhooks/grafana-alerts")
        return httpx.post(url, content=body, headers=headers, timeout=60)

    def readiness(self) -> dict[str, Any]:
        return dict(httpx.get(self.url("API", "/readyz"), timeout=30).json()["checks"])

    def incidents(self) -> list[dict[str, Any]]:
        return list(self.api("GET", "/incidents", token="an admin of this test").json()["items"])

    def is_alive(self) -> bool:
        try:
            return httpx.get(self.url("API", "/healthz"), timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A PostgreSQL of this test alone, which it may stop."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def service(server: Postgres, tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "data", server.new_database())
    yield service
    if service.is_up:
        service.end(signal.SIGKILL)


def test_a_database_that_stops_and_comes_back_loses_nothing_that_was_accepted(
    server: Postgres, service: Service
) -> None:
    service.run()
    service.wait_for("service", service.is_alive, 40)
    assert service.readiness()["database"] == "ok"
    assert service.deliver("before").status_code == 202

    server.stop()
    refused = service.deliver("meanwhile")
    assert refused.status_code == 503
    assert refused.json()["reason"] == "state_unavailable"
    assert "does not answer" in refused.json()["detail"]
    assert service.api("GET", "/incidents", token="an admin of this test").status_code == 503
    assert "does not answer" in service.readiness()["database"]
    assert service.is_alive()

    server.start()
    service.wait_for("readiness", lambda: service.readiness()["database"] == "ok", 60)
    assert service.deliver("meanwhile").status_code == 202
    found = {alert["fingerprint"] for each in service.incidents() for alert in each["alerts"]}
    assert found == {"before", "meanwhile"}
    assert service.api("GET", "/audit/verify", token="an admin of this test").status_code == 200
    assert not service.data_dir.exists(), "all that it needs is in the database and in its secrets"
    assert service.end() == 0


def test_a_database_that_hangs_is_503_in_bounded_time_and_does_not_hold_up_the_end(
    server: Postgres, service: Service
) -> None:
    service.run()
    service.wait_for("service", service.is_alive, 40)
    server.signal_all(signal.SIGSTOP)
    refused = service.deliver("meanwhile")
    assert refused.status_code == 503
    assert "did not answer in time" in refused.json()["detail"]
    assert service.is_alive()
    server.signal_all(signal.SIGCONT)
    service.wait_for("readiness", lambda: service.readiness()["database"] == "ok", 60)
    assert service.deliver("meanwhile").status_code == 202
    server.signal_all(signal.SIGSTOP)
    service.end()
    server.signal_all(signal.SIGCONT)


def test_a_service_that_starts_before_its_database_waits_for_it_and_can_be_stopped_meanwhile(
    server: Postgres, service: Service
) -> None:
    server.stop()
    service.run()
    service.wait_for(
        "word of the wait", lambda: "waiting for the state database" in service.terminal.read_text(), 40
    )
    service.end()
    service.run()
    server.start()
    service.wait_for("service", service.is_alive, 60)
    assert service.end() == 0


def test_every_line_of_the_log_is_json_with_a_time_in_utc_and_no_secret(
    server: Postgres, service: Service
) -> None:
    service.run()
    service.wait_for("service", service.is_alive, 40)
    service.deliver("AWF")
    server.stop()
    service.deliver("AWF")
    server.start()
    service.wait_for("readiness", lambda: service.readiness()["database"] == "ok", 60)
    service.end()
    text = service.terminal.read_text()
    records = [json.loads(line) for line in text.splitlines()]
    assert records
    for record in records:
        assert datetime.fromisoformat(record["time"]).tzinfo == UTC
    for secret in (PASSWORD, SECRET, "an admin of this test", "a worker of this test"):
        assert secret not in text
