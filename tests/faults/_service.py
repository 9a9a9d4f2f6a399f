"""One `awf serve` of a fault test's, and what is said to it over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import httpx

from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.e2e.product import free_ports
from tests.faults import _mortal
from tests.postgres import PASSWORD

T = TypeVar("T")

ADMIN, WORKER, SECRET = "an admin of this test", "a worker of this test", "a webhook secret of this test"
LEASE_S = 2
POLICY = """
rules:
  - {name: asked, target: {agent_id: "asked-*"}, decision: ask}
  - {name: rest, action: "*", decision: allow}
"""
HOOK = "/webhooks/grafana-alerts"

_NO_TLS = ssl.create_default_context()  # to make one for each request takes longer than the request
_processes = multiprocessing.get_context("forkserver")  # they are started by the hundred: it imports once
_processes.set_forkserver_preload([_mortal.__name__])


class Service:
    """A service that can be told where to die (`_mortal.py`); its files are in a folder that several may share."""

    def __init__(self, folder: Path, name: str, *, database: str = "") -> None:
        self.port = free_ports(1)[0]
        self.data_dir = folder / (name if database else "data")
        self.data_dir.mkdir(exist_ok=True)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self._order = folder / f"{name}.order"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWF_", "OTEL_"))}
        self._environ = kept | {
            "AWF_API_PORT": str(self.port), "AWF_DATA_DIR": str(self.data_dir), "AWF_ALERT_POLL_S": "0",
            "AWF_DATABASE_URL": database, "AWF_DATABASE_PASSWORD": PASSWORD if database else "",
            "AWF_BOOTSTRAP_TOKEN": ADMIN, "AWF_WORKER_TOKEN": WORKER, "AWF_WEBHOOK_SECRET": SECRET,
            "AWF_LEASE_S": str(LEASE_S), "AWF_SETTLE_S": "0.2", "AWF_COOLDOWN_S": "0",
            "AWF_MAX_ACTIONS_PER_HOUR": "100000", "AWF_POLICY_FILE": str(folder / "policy.yaml"),
            "AWF_TEST_SCENE": str(folder), "AWF_TEST_ORDER": str(self._order), "AWF_TEST_POINTS": str(folder / "points"),
        }  # fmt: skip
        (folder / "policy.yaml").write_text(POLICY)
        self.process: BaseProcess | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = _processes.Process(target=_mortal.main, args=(self._environ, self.log), daemon=True)
        self.process.start()
        await until("answer of the service", self._is_up, 60)

    async def _is_up(self) -> bool:
        assert self.is_running, f"the service ended: {self.log.read_text()[-3000:]}"
        return (await self.get("/healthz")) is not None

    def order(self, point: str, *, subject: str, number: str = "SIGKILL") -> None:
        """Let it send itself a signal at a write that an alert or an answer about `subject` leads to."""
        draft = self._order.with_suffix(".draft")
        draft.write_text(json.dumps({"point": point, "subject": subject, "signal": number}))
        draft.replace(self._order)

    def withdraw(self) -> None:
        self._order.unlink(missing_ok=True)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.is_alive()

    @property
    def is_killed(self) -> bool:
        return self.process is not None and self.process.exitcode == -signal.SIGKILL

    async def says(self, words: str) -> bool:
        return words in self.log.read_text()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join(timeout=10)

    async def get(self, path: str) -> Any:
        """Return an answer's JSON, None while there is none."""
        with contextlib.suppress(httpx.HTTPError):
            answer = await self.ask("GET", path)
            return answer.json() if answer.status_code == 200 else None
        return None

    async def deliver(self, *alerts: dict[str, Any]) -> bool:
        """Post signed alerts as Grafana does; whether they were taken."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self.post(*alerts)).status_code == 202
        return False

    async def post(self, *alerts: dict[str, Any]) -> httpx.Response:
        body, headers = signed(alerts)
        return await self.ask("POST", HOOK, content=body, headers=headers)

    async def approve(self, approval_id: str) -> bool:
        """Say yes; whether that is stored, by this answer or by an earlier one that got lost."""
        with contextlib.suppress(httpx.HTTPError):
            answer = await self.ask("POST", f"/approvals/{approval_id}/approve")
            return answer.status_code in (200, 409)
        return False

    async def all_of(self, path: str) -> list[dict[str, Any]]:
        """Return every item of a list, page by page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = (await self.ask("GET", f"{path}?limit=200{cursor}")).raise_for_status().json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    async def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {ADMIN}"} | arguments.pop("headers", {})
        async with httpx.AsyncClient(timeout=60, verify=_NO_TLS) as client:
            return await client.request(method, f"{self.url}{path}", headers=headers, **arguments)


@asynccontextmanager
async def running(folder: Path, services: Sequence[Service]) -> AsyncIterator[None]:
    """Run services on one database; the first starts alone, it makes the tables."""
    (folder / "scene.json").write_text("{}")
    try:
        await services[0].start()
        await asyncio.gather(*(each.start() for each in services[1:]))
        yield
    finally:
        for each in services:
            each.stop()


def services_on(database: str, folder: Path) -> list[Service]:
    """Return two services that share a database: one may die or hang, the other stays."""
    return [Service(folder, name, database=database) for name in ("mortal", "other")]


def signed(alerts: Sequence[dict[str, Any]]) -> tuple[bytes, dict[str, str]]:
    """Return a delivery's body and headers as Grafana makes them."""
    body = json.dumps({"alerts": alerts}).encode()
    now = int(time.time())
    return body, {SIGNATURE_HEADER: sign(SECRET, body, now), TIMESTAMP_HEADER: str(now)}


async def until(what: str, look: Callable[[], Awaitable[T | None]], timeout_s: float) -> T:
    """Look until there is something."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"no {what} within {timeout_s:.0f} s")
