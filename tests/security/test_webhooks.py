"""Deliveries that were not sent by whom they say, or not now: with the real watcher, none opens an incident."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from awf.api.cloudevents import BATCH, ONE
from awf.core.clock import isoformat
from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.security._service import SECRET, Service, service_of
from tests.unit.agents._system import ALERT_AT, System, failing_writer

PATH = "/webhooks/grafana-alerts"
JSON = "application/json"


def _alert(agent: str = "writer") -> dict[str, Any]:
    return {
        "status": "firing", "fingerprint": f"f-{agent}", "startsAt": isoformat(ALERT_AT),
        "labels": {"alertname": "AWFAgentErrors", "severity": "critical", "agent_id": agent},
    }  # fmt: skip


def _event(number: int = 1) -> dict[str, Any]:
    return {"specversion": "1.0", "id": str(number), "source": "tests", "type": "alert", "data": _alert()}


BODIES = {
    "of Grafana": (JSON, {"alerts": [_alert()], "receiver": "awf", "orgId": 1}),
    "of Alertmanager": (JSON, {"version": "4", "groupKey": "{}", "status": "firing", "alerts": [_alert()]}),
    "a CloudEvent": (ONE, _event()),
    "CloudEvents": (BATCH, [_event(1), _event(2)]),
}
kinds = pytest.mark.parametrize("kind", BODIES)


async def send(service: Service, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return await service.http.post(PATH, content=body, headers=headers)


def signed(service: Service, body: bytes, *, secret: str = SECRET, age_s: int = 0) -> dict[str, str]:
    moment = int(service.system.clock.now().timestamp()) - age_s
    return {SIGNATURE_HEADER: sign(secret, body, moment), TIMESTAMP_HEADER: str(moment)}


@kinds
async def test_a_forged_or_stale_one_is_refused_and_leaves_nothing(system: System, kind: str) -> None:
    content_type, made = BODIES[kind]
    body = json.dumps(made).encode()
    async with service_of(system) as service:
        admin = await service.person("ana", "admin")
        good = signed(service, body)
        forged: dict[str, dict[str, str]] = {
            "unsigned": {},
            "signed with another secret": signed(service, body, secret="guess"),
            "signed with no secret": {SIGNATURE_HEADER: "0" * 64},
            "signed over another body": signed(service, body + b" "),
            "signed six minutes ago": signed(service, body, age_s=360),
            "signed six minutes from now": signed(service, body, age_s=-360),
            "with a newer time than was signed": {**good, TIMESTAMP_HEADER: str(int(good[TIMESTAMP_HEADER]) + 60)},
            "with its time left out": {SIGNATURE_HEADER: good[SIGNATURE_HEADER]},
            "with another bearer": {"Authorization": "Bearer guess"},
            "with the secret as a password": {"Authorization": f"Basic {SECRET}"},
            "with an admin's token": {"Authorization": f"Bearer {admin}"},
            "with a wrong signature beside the bearer": {
                SIGNATURE_HEADER: "0" * 64, "Authorization": f"Bearer {SECRET}",
            },
        }  # fmt: skip
        for what, headers in forged.items():
            answer = await send(service, body, {"Content-Type": content_type, **headers})
            assert answer.status_code == 401, what
        assert await system.incidents() == []
    assert system.telemetry.queries == []


@kinds
async def test_a_replay_of_a_good_one_is_a_duplicate_and_nothing_is_done_twice(
    system: System, kind: str
) -> None:
    content_type, made = BODIES[kind]
    body = json.dumps(made).encode()
    failing_writer(system.telemetry, recovers_at=system.clock.now())
    async with service_of(system) as service:
        headers = {"Content-Type": content_type, **signed(service, body)}
        first = await send(service, body, headers)
        again = await send(service, body, headers)
        assert (first.status_code, len(first.json()["incidents"])) == (202, 1)
        await system.watcher.settled()
        bearer = {"Content-Type": content_type, "Authorization": f"Bearer {SECRET}"}
        later = await send(service, body, bearer)
        await system.watcher.settled()
    for answer in (again, later):
        assert (answer.status_code, answer.json()["incidents"]) == (202, [])
        assert answer.json()["duplicates"] >= 1
    assert len(await system.incidents()) == 1
    assert system.kinds == ["set_fallback_forced"]
