"""What Grafana's webhook may send, and that a refused delivery leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.unit.api._parts import Api

PATH = "/webhooks/grafana-alerts"


def make_body(**changes: Any) -> dict[str, Any]:
    """A delivery as Grafana sends it, with `changes` in its alert."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "AWF error budget burns fast", "severity": "critical"},
        "annotations": {"summary": "it burns"},
        "startsAt": "2026-11-21T02:10:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://grafana/alerting/grafana/x/view?orgId=1",
        "fingerprint": "9f3c0b8f6f1d2a77",
        "silenceURL": "http://grafana/alerting/silence/new",
        "dashboardURL": "",
        "panelURL": "",
        "ruleUID": "awf_error_budget_fast",
        "values": {"B": 0.21, "C": 1, "D": None},
        "valueString": "[ var='B' value=0.21 ]",
        "orgId": 1,
        **changes,
    }
    return {
        "receiver": "awf-watcher",
        "status": "firing",
        "alerts": [{key: value for key, value in alert.items() if value is not ...}],
        "groupLabels": {},
        "commonLabels": {},
        "externalURL": "http://grafana/",
        "version": "1",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "orgId": 1,
        "title": "[FIRING:1]",
        "state": "alerting",
        "message": "**Firing**",
    }


def signed(api: Api, body: bytes, *, secret: str = "hush", age_s: int = 0) -> dict[str, str]:
    moment = int(api.clock.now().timestamp()) - age_s
    return {SIGNATURE_HEADER: sign(secret, body, moment), TIMESTAMP_HEADER: str(moment)}


async def test_a_signed_delivery_reaches_the_watcher_with_its_raw_body(api: Api) -> None:
    body = json.dumps(make_body()).encode()
    answer = await api.client().post(PATH, content=body, headers=signed(api, body))
    assert (answer.status_code, answer.json()) == (
        202,
        {"status": "received", "incidents": [], "duplicates": 0},
    )
    (alerts, raw) = api.intake.deliveries[0]
    assert raw == body
    assert alerts[0].fingerprint == "9f3c0b8f6f1d2a77"
    assert alerts[0].starts_at.isoformat() == "2026-11-21T02:10:00.123456+00:00"
    assert alerts[0].ends_at is None
    assert alerts[0].values == {"B": 0.21, "C": 1.0}
    assert alerts[0].rule_uid == "awf_error_budget_fast"


TESTS = [{"alertname": "AWFDoctor", "awf_doctor": "1"}, {"alertname": "TestAlert", "instance": "Grafana"}]


@pytest.mark.parametrize("labels", TESTS, ids=["of the doctor", "of Grafana's button"])
async def test_a_test_notification_is_answered_and_opens_nothing(labels: dict[str, str], api: Api) -> None:
    body = json.dumps(make_body(labels=labels)).encode()
    answer = await api.client().post(PATH, content=body, headers=signed(api, body))
    assert (answer.status_code, answer.json()) == (
        202,
        {"status": "received", "incidents": [], "duplicates": 0, "tests": 1},
    )
    assert api.intake.deliveries == []


@pytest.mark.parametrize("labels", TESTS, ids=["of the doctor", "of Grafana's button"])
async def test_a_test_notification_needs_the_signature_too(labels: dict[str, str], api: Api) -> None:
    body = json.dumps(make_body(labels=labels)).encode()
    answer = await api.client().post(PATH, content=body, headers=signed(api, body, secret="other"))
    assert answer.status_code == 401


async def test_an_alert_beside_a_test_or_with_half_of_its_marks_reaches_the_watcher(api: Api) -> None:
    delivery = make_body()
    half = {"alertname": "TestAlert", "instance": "web-1"}
    delivery["alerts"] += [{**delivery["alerts"][0], "labels": labels} for labels in (half, TESTS[0])]
    body = json.dumps(delivery).encode()
    answer = await api.client().post(PATH, content=body, headers=signed(api, body))
    assert answer.json()["tests"] == 1
    ((alerts, raw),) = api.intake.deliveries
    assert [alert.labels["alertname"] for alert in alerts] == ["AWF error budget burns fast", "TestAlert"]
    assert raw == body


async def test_a_repeat_is_answered_as_a_duplicate(api: Api) -> None:
    body = json.dumps(make_body()).encode()
    client = api.client()
    for duplicates in (0, 1):
        answer = await client.post(PATH, content=body, headers=signed(api, body))
        assert answer.json()["duplicates"] == duplicates


async def test_a_signature_without_a_time_is_enough_and_a_replay_of_it_is_a_duplicate(api: Api) -> None:
    body = json.dumps(make_body()).encode()
    headers = {SIGNATURE_HEADER: sign("hush", body, None)}
    for duplicates in (0, 1):
        answer = await api.client().post(PATH, content=body, headers=headers)
        assert (answer.status_code, answer.json()["duplicates"]) == (202, duplicates)


async def test_the_secret_as_bearer_is_enough(api: Api) -> None:
    answer = await api.client().post(PATH, json=make_body(), headers={"Authorization": "Bearer hush"})
    assert answer.status_code == 202


async def test_a_delivery_that_cannot_be_trusted_is_401_and_stores_nothing(api: Api) -> None:
    body = json.dumps(make_body()).encode()
    good = signed(api, body)
    attempts: list[dict[str, Any]] = [
        {},
        {"Authorization": "Bearer guess"},
        {"Authorization": "Bearer é".encode("latin-1")},
        {"Authorization": f"Bearer {api.tokens['admin']}"},
        {"Authorization": "Basic aHVzaA=="},
        signed(api, body, secret="other"),
        signed(api, body + b" "),
        signed(api, body, age_s=301),
        {SIGNATURE_HEADER: good[SIGNATURE_HEADER]},
        {**good, TIMESTAMP_HEADER: "1"},
        {**good, SIGNATURE_HEADER: "", "Authorization": "Bearer hush"},
    ]
    for headers in attempts:
        answer = await api.client().post(PATH, content=body, headers=headers)
        assert answer.status_code == 401, headers
        assert answer.json()["reason"] == "unauthorized"
    assert api.intake.deliveries == []


async def test_without_a_secret_only_this_machine_may_send(api: Api) -> None:
    assert (await api.client(webhook_secret="").post(PATH, json=make_body())).status_code == 202
    away = api.client(webhook_secret="", address="10.0.0.7")
    answer = await away.post(PATH, json=make_body())
    assert (answer.status_code, answer.json()["hint"]) == (401, "Set AWF_WEBHOOK_SECRET.")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"startsAt": "yesterday"}, "alerts[0].startsAt"),
        ({"startsAt": "2026-11-21T02:10:00"}, "alerts[0].startsAt"),
        ({"startsAt": 5}, "alerts[0].startsAt"),
        ({"startsAt": "0001-01-01T00:00:00+05:00"}, "alerts[0].startsAt"),
        ({"startsAt": ...}, "alerts[0].startsAt"),
        ({"status": "pending"}, "alerts[0].status"),
        ({"fingerprint": ""}, "alerts[0].fingerprint"),
        ({"fingerprint": "f" * 129}, "alerts[0].fingerprint"),
        ({"labels": None}, "alerts[0].labels"),
        ({"labels": {"a": 1}}, "alerts[0].labels.a"),
        ({"labels": {"a": "x" * 4097}}, "alerts[0].labels.a"),
        ({"labels": {f"l{i}": "" for i in range(129)}}, "alerts[0].labels"),
        ({"annotations": {"a": "x" * 16_385}}, "alerts[0].annotations.a"),
        ({"values": {"B": "high"}}, "alerts[0].values.B"),
    ],
)
async def test_a_malformed_alert_is_422_naming_the_field(
    api: Api, changes: dict[str, Any], field: str
) -> None:
    answer = await api.client(webhook_secret="").post(PATH, json=make_body(**changes))
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert api.intake.deliveries == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"alerts": []}', b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_delivery_is_422(api: Api, body: bytes) -> None:
    answer = await api.client(webhook_secret="").post(PATH, content=body)
    assert answer.status_code == 422
    assert api.intake.deliveries == []


@pytest.mark.parametrize("changes", [{"values": None}, {"annotations": None}, {"ruleUID": ...}, {"new": [1]}])
async def test_what_grafana_leaves_out_or_adds_is_accepted(api: Api, changes: dict[str, Any]) -> None:
    answer = await api.client(webhook_secret="").post(PATH, json=make_body(**changes))
    assert answer.status_code == 202


async def test_an_over_large_body_is_413_before_its_signature_is_looked_at(api: Api) -> None:
    client = api.client(webhook_max_bytes=100)
    answer = await client.post(PATH, content=b"x" * 101)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")


async def test_a_chunked_body_is_cut_off_at_the_limit(api: Api) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 40
            yield b"x" * 40

    answer = await api.client(webhook_max_bytes=100).post(PATH, content=endless())
    assert answer.status_code == 413
    assert sent == 120
    assert api.intake.deliveries == []
