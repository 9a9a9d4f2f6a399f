"""Alertmanager's webhook and CloudEvents lead to the same alerts as Grafana's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awf.api.cloudevents import BATCH, ONE
from tests.unit.api._parts import Api
from tests.unit.api.test_webhooks import PATH, make_body

BEARER = {"authorization": "Bearer hush"}
EVENT = {
    "specversion": "1.0", "id": "e-1", "source": "/watch/of/a/test", "type": "org.example.alert",
    "time": "2026-11-21T02:10:00Z",
}  # fmt: skip
ONE_ALERT = {"labels": {"alertname": "Slow", "agent_id": "writer"}, "annotations": {"summary": "so slow"}}

ALERTMANAGER = {
    "version": "4", "groupKey": '{}:{alertname="Slow"}', "truncatedAlerts": 0, "status": "firing", "receiver": "awf",
    "groupLabels": {"alertname": "Slow"}, "commonLabels": {"alertname": "Slow"}, "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "alerts": [
        {
            "status": "firing", "labels": {"alertname": "Slow"}, "annotations": {}, "fingerprint": "7f1d2a779f3c0b8f",
            "startsAt": "2026-11-21T02:10:00.5Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        }
    ],
}  # fmt: skip


async def post(api: Api, body: Any, kind: str) -> Any:
    headers = {**BEARER, "content-type": kind}
    return await api.client().post(PATH, content=json.dumps(body), headers=headers)


async def test_alertmanagers_webhook_is_taken(api: Api) -> None:
    assert (await post(api, ALERTMANAGER, "application/json")).status_code == 202
    ((alert,), _) = api.intake.deliveries[0]
    assert (alert.name, alert.fingerprint, alert.ends_at) == ("Slow", "7f1d2a779f3c0b8f", None)


@pytest.mark.parametrize("kind", [ONE, f"{ONE}; charset=utf-8", ONE.upper()])
async def test_an_event_around_one_alert_says_what_the_alert_does_not(kind: str, api: Api) -> None:
    assert (await post(api, {**EVENT, "data": ONE_ALERT}, kind)).status_code == 202
    ((alert,), _) = api.intake.deliveries[0]
    assert (alert.status, alert.starts_at.isoformat()) == ("firing", "2026-11-21T02:10:00+00:00")
    assert alert.labels == ONE_ALERT["labels"]
    ended = {**EVENT, "id": "e-2", "data": {**ONE_ALERT, "status": "resolved"}}
    await post(api, ended, kind)
    ((after,), _) = api.intake.deliveries[1]
    assert (after.fingerprint, after.status) == (alert.fingerprint, "resolved")


async def test_another_source_with_equal_labels_is_another_alert(api: Api) -> None:
    batch = [{**EVENT, "data": ONE_ALERT}, {**EVENT, "source": "/elsewhere", "data": ONE_ALERT}]
    assert (await post(api, batch, BATCH)).status_code == 202
    ((first, second), _) = api.intake.deliveries[0]
    assert first.fingerprint != second.fingerprint


async def test_an_event_around_a_webhooks_body_carries_all_its_alerts(api: Api) -> None:
    await post(api, {**EVENT, "data": make_body()}, ONE)
    ((alert,), _) = api.intake.deliveries[0]
    assert alert.fingerprint == "9f3c0b8f6f1d2a77"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({**EVENT}, "data"),
        ({**EVENT, "data": ONE_ALERT, "specversion": "0.3"}, "specversion"),
        ({**EVENT, "data": [1]}, "data"),
        ({**EVENT, "data": {"status": "firing"}}, "labels"),
        ({**EVENT, "data": ONE_ALERT, "time": 5}, "time"),
        ({key: value for key, value in EVENT.items() if key != "time"} | {"data": ONE_ALERT}, "startsAt"),
    ],
)
async def test_a_malformed_event_is_refused_with_the_fields_name(event: Any, field: str, api: Api) -> None:
    answer = await post(api, event, ONE)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert api.intake.deliveries == []


async def test_an_unsigned_event_is_refused(api: Api) -> None:
    body = json.dumps({**EVENT, "data": ONE_ALERT})
    answer = await api.client().post(PATH, content=body, headers={"content-type": ONE})
    assert answer.status_code == 401
