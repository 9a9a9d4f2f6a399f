"""Very many alerts in a short time, at two services on one database: each is taken or refused aloud, none is lost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.faults._harness import by_form
from tests.faults._service import Service, services_on

COUNT, SECONDS, PLACES = (*by_form((400, 4), (1000, 10)), 100)
BATCH, REPEATED = 5, 10
RETRIED = frozenset(range(500, 600))
"""What Grafana's alertmanager sends again."""


async def test_in_a_storm_every_alert_is_in_one_incident_and_every_refusal_makes_grafana_try_again(
    tmp_path: Path, database: str
) -> None:
    services = services_on(database, tmp_path)
    (tmp_path / "scene.json").write_text("{}")
    try:
        await services[0].start()
        await services[1].start()
        storm = [_storming(number) for number in range(COUNT)]
        batches = [storm[begin : begin + BATCH] for begin in range(0, COUNT, BATCH)]
        batches += batches[::REPEATED]
        begin = time.monotonic()
        senders = (
            _send(services[number % 2], each, begin + SECONDS * number / len(batches))
            for number, each in enumerate(batches)
        )
        answers, statuses = [], Counter[int]()
        for answer, refusals in await asyncio.gather(*senders):
            answers.append(answer)
            statuses.update(refusals)
        incidents = await services[1].all_of("/incidents")
        held = Counter(alert["fingerprint"] for each in incidents for alert in each["alerts"])
        assert held == {alert["fingerprint"]: 1 for alert in storm}
        places = [{alert["labels"]["agent_id"] for alert in each["alerts"]} for each in incidents]
        assert all(len(each) == 1 for each in places), "alerts of one place are one incident"
        assert len(incidents) == PLACES
        duplicates = sum(answer["duplicates"] for answer in answers)
        assert sum(map(len, batches)) - duplicates == COUNT, "what was accepted is what is stored"
        print(
            f"{sum(map(len, batches))} alerts in {SECONDS} s: {COUNT} accepted, {duplicates} known, "
            f"refused and sent again: {dict(statuses)}"
        )
    finally:
        for each in services:
            each.stop()


async def _send(service: Service, alerts: list[dict[str, Any]], at_s: float) -> tuple[Any, list[int]]:
    """Deliver at a moment, again after each refusal; return the answer and the refusals' statuses."""
    await asyncio.sleep(max(0.0, at_s - time.monotonic()))
    refusals = []
    while (answer := await service.post(*alerts)).status_code != httpx.codes.ACCEPTED:
        assert answer.status_code in RETRIED, f"{answer.status_code}: {answer.text}"
        refusals.append(answer.status_code)
        await asyncio.sleep(1.0)
    return answer.json(), refusals


def _storming(number: int) -> dict[str, Any]:
    labels = {"alertname": "Storm", "agent_id": f"agent-{number % PLACES}", "pod": f"pod-{number}"}
    return {
        "status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-11-21T12:00:00Z",
        "fingerprint": f"storm-{number}",
    }  # fmt: skip
