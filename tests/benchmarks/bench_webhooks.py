"""How fast alerts are taken, each answered once it is durable, and how many incidents a minute come to their end.

Real services on SQLite and on a real PostgreSQL (Debian's package), and a real engine that carries the actions out. Only
what the watcher sees of telemetry is answered from memory: this measures what AWF does, not what Grafana takes. Senders,
services, database and engine share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx
from _measuring import Latencies, print_table

from tests.faults._replicas import POLICY, Service, Stories, running_engine, signed, until
from tests.postgres import Postgres, running_postgres

SENDERS = (1, 8, 32)
TAKEN_HEADER = ("alerts taken, one a request", "senders", "a second", "p50 ms", "p99 ms", "refused")
ENDED_HEADER = ("incidents, each with one action", "services", "incidents", "a minute", "first after s")


@asynccontextmanager
async def services(server: Postgres | None, count: int) -> AsyncIterator[tuple[Path, list[Service]]]:
    """Run services on one database of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policy.yaml").write_text(POLICY)
        (folder / "scene.json").write_text("{}")
        url = server.new_database() if server else ""
        running = [Service(folder, f"service-{number}", database=url) for number in range(count)]
        try:
            for each in running:
                await each.start()
            yield folder, running
        finally:
            for each in running:
                each.stop()


async def taken(name: str, server: Postgres | None, senders: int, seconds: float) -> tuple[str, ...]:
    """Post alerts of some hundred places until the time is over."""
    latencies, refused = Latencies(), 0
    async with services(server, 1) as (_, (service,)), httpx.AsyncClient(timeout=30) as client:
        until_s = time.perf_counter() + seconds
        began = time.perf_counter()

        async def send(sender: int) -> int:
            nonlocal refused
            sent = 0
            while time.perf_counter() < until_s:
                body, headers = signed([_alert(f"agent-{sent % 10}-{sender}", f"{sender}-{sent}")])
                posted = time.perf_counter()
                answer = await client.post(
                    f"{service.url}/webhooks/grafana-alerts", content=body, headers=headers
                )
                latencies.add(time.perf_counter() - posted)
                refused += answer.status_code != 202
                sent += 1
            return sent

        sent = sum(await asyncio.gather(*map(send, range(senders))))
        rate = sent / (time.perf_counter() - began)
    return (
        name, str(senders), f"{rate:,.0f}", f"{latencies.within(0.5) * 1000:.1f}",
        f"{latencies.within(0.99) * 1000:.1f}", str(refused),
    )  # fmt: skip


async def ended(name: str, server: Postgres | None, count: int, agents: int) -> tuple[str, ...]:
    """Let agents fail all at once, one alert each, until the last incident is resolved."""
    async with services(server, count) as (folder, running):
        names = [f"plain-{number}" for number in range(agents)]
        stories = Stories(folder, running)
        async with running_engine(folder, names, running[-1]):
            alerts = [stories.begin(each) for each in names]
            began = time.perf_counter()
            halves = [alerts[number::count] for number in range(count)]
            await asyncio.gather(
                *(service.deliver(*half) for service, half in zip(running, halves, strict=True))
            )
            first: list[float] = []

            async def all_resolved() -> bool:
                found = await running[0].get("/incidents?status=resolved&limit=200")
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
            await taken(name, server, senders, arguments.seconds)
            for name, server in databases.items()
            for senders in SENDERS
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
