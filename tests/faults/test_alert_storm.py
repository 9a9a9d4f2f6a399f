"""Very many alerts in a short time, at one service with a file and at two on a server: none is lost, or taken twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.faults._harness import by_form
from tests.faults._service import Service, running, services_on

COUNT, SECONDS, PLACES = (*by_form((400, 4), (1000, 10)), 100)
BATCH, REPEATED = 5, 10


async def test_in_a_storm_every_alert_is_in_one_incident_and_every_refusal_makes_grafana_try_again(
    tmp_path: Path, database: str
) -> None:
    services = services_on(database, tmp_path)[: 2 if database else 1]
    async with running(tmp_path, services):
        storm = [_storming(number) for number in range(COUNT)]
        batches = [storm[begin : begin + BATCH] for begin in range(0, COUNT, BATCH)]
        batches += batches[::REPEATED]
        begin = time.monotonic()
        senders = (
            _send(services[number % len(services)], each, begin + SECONDS * number / len(batches))
            for number, each in enumerate(batches)
        )
        refusals = Counter(why for refused in await asyncio.gather(*senders) for why in refused)
        incidents = await services[-1].all_of("/incidents")
        held = Counter(alert["fingerprint"] for each in incidents for alert in each["alerts"])
        assert held == {alert["fingerprint"]: 1 for alert in storm}
        places = [{alert["labels"]["agent_id"] for alert in each["alerts"]} for each in incidents]
        assert all(len(each) == 1 for each in places), "alerts of one place are one incident"
        assert len(incidents) == PLACES
        sent = sum(map(len, batches))
        print(
            f"{sent} alerts in {SECONDS} s, {sent - COUNT} of them again: {len(incidents)} incidents; sent again until "
            f"taken: {dict(refusals)}"
        )


async def _send(service: Service, alerts: list[dict[str, Any]], at_s: float) -> list[str]:
    """Deliver at a moment, and again until it is taken, as Grafana does; return what was answered before."""
    await asyncio.sleep(max(0.0, at_s - time.monotonic()))
    refusals = []
    while True:
        try:
            answer = await service.post(*alerts)
        except httpx.TimeoutException:
            refusals.append("no answer in time")
            continue
        if answer.status_code == httpx.codes.ACCEPTED:
            return refusals
        # Grafana sends nothing else again.
        assert answer.is_server_error, f"{answer.status_code}: {answer.text}"
        refusals.append(str(answer.status_code))
        await asyncio.sleep(1.0)


def _storming(number: int) -> dict[str, Any]:
    labels = {"alertname": "Storm", "agent_id": f"agent-{number % PLACES}", "pod": f"pod-{number}"}
    return {
        "status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-11-21T12:00:00Z",
        "fingerprint": f"storm-{number}",
    }  # fmt: skip
