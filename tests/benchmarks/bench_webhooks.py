"""How fast alerts are taken, each answered once it is durable, and how many incidents a minute come to their end.

Real services on SQLite and on a real PostgreSQL (Debian's package), and a real engine that carries the actions out. Only
what the watcher sees of telemetry is answered from memory: this measures what AWF does, not what Grafana takes. Senders,
services, database and engine share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx
from _measuring import Latencies, print_table

from tests.e2e.product import free_ports
from tests.faults._service import HOOK, Service, running, signed, until
from tests.faults._stories import Stories, in_letters, running_engine
from tests.postgres import PASSWORD, Postgres, running_postgres

SENDERS = (1, 8, 32)
TAKEN_HEADER = ("alerts taken, one a request", "senders", "a second", "p50 ms", "p99 ms", "refused", "ratio")
ENDED_HEADER = ("incidents, each with one action", "services", "incidents", "a minute", "first after s")


@asynccontextmanager
async def services(server: Postgres | None, count: int) -> AsyncIterator[tuple[Path, list[Service]]]:
    """Run services on one database of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = server.new_database() if server else ""
        made = [Service(folder, f"service-{number}", database=url) for number in range(count)]
        async with running(folder, made):
            yield folder, made


@asynccontextmanager
async def raw(server: Postgres | None) -> AsyncIterator[str]:
    """Run the least that takes a webhook durably, and return its URL."""
    with tempfile.TemporaryDirectory() as name:
        port = free_ports(1)[0]
        database = server.new_database() if server else str(Path(name) / "raw.db")
        program = Path(__file__).with_name("_raw_intake.py")
        process = subprocess.Popen([sys.executable, str(program), str(port), database, PASSWORD])
        try:
            await until("answer of the raw intake", lambda: _listens(port), 60)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


async def compared(name: str, server: Postgres | None, senders: int, seconds: float) -> list[tuple[str, ...]]:
    """Return what AWF takes, and beside it what the raw intake does in the same minute."""
    async with services(server, 1) as (_, (service,)):
        ours = await taken(service.url, senders, seconds)
    async with raw(server) as url:
        least = await taken(url, senders, seconds)
    ratio = f"{ours.rate / least.rate:.2f}"
    return [
        (f"AWF, {name}", str(senders), *ours.cells(), ratio),
        (f"one INSERT by FastAPI, {name}", str(senders), *least.cells(), "1"),
    ]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of requests that were sent as fast as they were answered."""

    rate: float  # answered with 202, a second
    latencies: Latencies
    refused: int

    def cells(self) -> tuple[str, ...]:
        within = (f"{self.latencies.within(share) * 1000:.1f}" for share in (0.5, 0.99))
        return f"{self.rate:,.0f}", *within, str(self.refused)


async def taken(url: str, senders: int, seconds: float) -> Taken:
    """Post alerts, one a request, of some hundred places until the time is over."""
    latencies, sent, refused = Latencies(), 0, 0
    async with httpx.AsyncClient(timeout=60) as client:
        began = time.perf_counter()

        async def send(sender: int) -> None:
            nonlocal sent, refused
            number = 0
            while time.perf_counter() < began + seconds:
                number += 1
                body, headers = signed([_alert(f"agent-{number % 10}-{sender}", f"{sender}-{number}")])
                posted = time.perf_counter()
                answer = await client.post(f"{url}{HOOK}", content=body, headers=headers)
                latencies.add(time.perf_counter() - posted)
                sent += answer.status_code == 202
                refused += answer.status_code != 202

        await asyncio.gather(*map(send, range(senders)))
        return Taken(sent / (time.perf_counter() - began), latencies, refused)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def ended(name: str, server: Postgres | None, count: int, agents: int) -> tuple[str, ...]:
    """Let agents fail all at once, one alert each, until the last incident is resolved."""
    async with services(server, count) as (folder, made):
        names = [f"plain-{in_letters(str(number))}" for number in range(agents)]
        stories = Stories(folder, made)
        async with running_engine(folder, names, made[-1]):
            alerts = [stories.begin(each) for each in names]
            began = time.perf_counter()
            halves = [alerts[number::count] for number in range(count)]
            await asyncio.gather(
                *(service.deliver(*half) for service, half in zip(made, halves, strict=True))
            )
            first: list[float] = []

            async def all_resolved() -> bool:
                found = await made[0].get("/incidents?status=resolved&limit=200")
                done = len(found["items"]) if found else 0
                if done and not first:
                    first.append(time.perf_counter() - began)
                return done == agents

            await until("the end of them all", all_resolved, 120)
            took = time.perf_counter() - began
    return name, str(count), str(agents), f"{agents / took * 60:,.0f}", f"{first[0]:.1f}"


def _alert(agent: str, fingerprint: str) -> dict[str, Any]:
    labels = {"alertname": "Bench", "agent_id": agent, "severity": "warning"}
    starts_at = "2026-11-21T12:00:00Z"
    return {"status": "firing", "labels": labels, "annotations": {}, "startsAt": starts_at, "fingerprint": fingerprint}  # fmt: skip


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each case sends")
    parser.add_argument("--agents", type=int, default=20, help="how many agents fail at once")
    arguments = parser.parse_args()
    with ExitStack() as opened:
        databases = {"SQLite": None, "PostgreSQL": opened.enter_context(running_postgres())}
        rows = [
            row
            for name, server in databases.items()
            for senders in SENDERS
            for row in await compared(name, server, senders, arguments.seconds)
        ]
        print_table("What is taken", TAKEN_HEADER, rows)
        rows = [
            await ended(name, server, count, arguments.agents)
            for name, server in databases.items()
            for count in (1, 2)
        ]
        print_table("What comes to its end", ENDED_HEADER, rows)


if __name__ == "__main__":
    asyncio.run(main())
