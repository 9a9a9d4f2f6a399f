"""Grafana's endpoints: shapes, filters, access and errors."""

from __future__ import annotations

import time

import httpx
import pytest

from .conftest import TRACE_ID


async def test_fixed_answers_name_the_version_and_the_public_address(embedded) -> None:
    settings = await embedded.get("/api/frontend/settings")
    assert settings["appUrl"] == "http://grafana.test/"
    assert settings["buildInfo"]["version"] == (await embedded.get("/api/health"))["version"]
    assert set(settings["datasources"]) == {"Mimir", "Loki", "Tempo"}
    assert (await embedded.get("/api/org"))["id"] == (await embedded.get("/api/user"))["orgId"]
    assert len(await embedded.get("/api/user/orgs")) == 1


async def test_datasources_are_found_by_uid_and_name(embedded) -> None:
    listed = await embedded.get("/api/datasources")
    assert [(source["uid"], source["type"]) for source in listed] == [
        ("mimir", "prometheus"), ("loki", "loki"), ("tempo", "tempo"),
    ]  # fmt: skip
    assert await embedded.get("/api/datasources/uid/loki") == listed[1]
    assert await embedded.get("/api/datasources/name/Tempo") == listed[2]
    assert (await embedded.get("/api/datasources/uid/mimir/health"))["status"] == "OK"


async def test_queries_reach_the_datasource_through_both_ways(embedded) -> None:
    query = {"query": 'agent_failures{agent_id="writer"}', "time": str(time.time())}
    for way in ("uid/mimir/resources", "proxy/uid/mimir"):
        path = f"/api/datasources/{way}/api/v1/query"
        for response in (
            await embedded.client.post(path, data=query),
            await embedded.client.get(path, params=query),
        ):
            assert response.json()["data"]["result"][0]["value"][1] == "0.5"
    logs = await embedded.get(
        "/api/datasources/proxy/uid/loki/loki/api/v1/query_range", query='{service_name="awf-demo"}'
    )
    assert logs["data"]["result"][0]["values"][0][1] == "step failed: boom"
    trace = await embedded.get(f"/api/datasources/proxy/uid/tempo/api/v2/traces/{TRACE_ID}")
    assert trace["trace"]["resourceSpans"]


async def test_label_with_special_characters_reaches_the_datasource_once_decoded(embedded) -> None:
    response = await embedded.client.get("/api/datasources/proxy/uid/mimir/api/v1/label/a%2Fb%25/values")
    assert response.status_code in {400, 404}


async def test_datasource_rules_are_prometheus_own(embedded) -> None:
    rules = await embedded.get("/api/prometheus/mimir/api/v1/rules")
    assert [rule["type"] for rule in rules["data"]["groups"][0]["rules"]] == [
        "recording", "alerting", "alerting",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/annotations"),
        ("DELETE", "/api/annotations/1"),
        ("POST", "/api/alertmanager/grafana/api/v2/silences"),
        ("POST", "/api/datasources/proxy/uid/loki/loki/api/v1/push"),
        ("DELETE", "/api/datasources/uid/mimir/resources/api/v1/query"),
        ("POST", "/no/such/path"),
    ],
)
async def test_writes_need_the_token(embedded, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic write-token"}):
        response = await embedded.client.request(method, path, headers=headers, json={})
        assert response.status_code == 401
        assert "AWF_GRAFANA_TOKEN" in response.json()["message"]


@pytest.mark.parametrize("path", ["/api/datasources", "/api/datasources/uid/mimir", "/api/annotations",
                                  "/api/datasources/uid/mimir/resources/api/v1/labels"])  # fmt: skip
async def test_reads_from_another_machine_need_the_token(embedded, path: str) -> None:
    transport = httpx.ASGITransport(embedded.app, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://grafana.test") as client:
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=embedded.auth)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/apis/dashboard.grafana.app", 404, "Not found"),
        ("/api/no-such", 404, "Not found"),
        ("/api/datasources/uid/none", 404, "Data source not found"),
        ("/api/datasources/proxy/uid/none/api/v1/query", 404, "Data source not found"),
        ("/api/dashboards/uid/none", 404, "Dashboard not found"),
        ("/api/annotations/77", 404, "annotation 77 does not exist"),
        (f"/api/annotations/{2**63}", 404, "does not exist"),
        ("/api/annotations?limit=x", 400, "parameter limit is 'x'"),
        ("/api/annotations?from=now-1h", 400, "parameter from is 'now-1h'"),
        ("/api/annotations?matchAny=maybe", 400, "parameter matchAny is 'maybe'"),
        ("/api/search?type=dash", 400, "parameter type is 'dash'"),
        ("/api/prometheus/grafana/api/v1/rules?state=bad", 400, "parameter state is 'bad'"),
        ("/api/prometheus/grafana/api/v1/rules?matcher=x", 400, "parameter matcher is 'x'"),
        ("/api/alertmanager/grafana/api/v2/alerts?filter=x", 400, "parameter filter is 'x'"),
        ("/api/alertmanager/grafana/api/v2/silence/none", 404, "silence 'none' does not exist"),
        ("/api/v1/provisioning/alert-rules/none", 404, "could not find alert rule"),
    ],
)
async def test_wrong_requests_are_answered_in_grafanas_shape(embedded, path, status, message) -> None:
    response = await embedded.client.get(path)
    assert response.status_code == status
    assert message in response.json()["message"]


async def test_dashboards_are_found_by_text_and_tag_and_a_broken_file_is_left_out(embedded) -> None:
    hits = await embedded.get("/api/search", type="dash-db", query="OVER")
    assert [(hit["uid"], hit["url"]) for hit in hits] == [("awf-overview", "/d/awf-overview/awf-overview")]
    assert await embedded.get("/api/search", type="dash-db", tag="other") == []
    assert await embedded.get("/api/search", type="dash-db", page=2, limit=1) == []
    assert [hit["uid"] for hit in await embedded.get("/api/search", type="dash-folder")] == ["awf"]
    board = await embedded.get("/api/dashboards/uid/awf-overview")
    assert board["dashboard"]["panels"] == [{"id": 1}]


async def test_annotation_lives_from_creation_to_deletion(embedded) -> None:
    body = {"text": "switched fallback", "tags": ["awf", "incident"], "time": 1000, "timeEnd": 2000,
            "dashboardUID": "awf-overview", "panelId": 2, "data": {"incident": "inc_1"}}  # fmt: skip
    made = (await embedded.client.post("/api/annotations", json=body, headers=embedded.auth)).json()
    path = f"/api/annotations/{made['id']}"
    stored = await embedded.get(path)
    assert stored.items() >= body.items()
    changed = await embedded.client.patch(path, json={"text": "undone"}, headers=embedded.auth)
    assert changed.json() == {"message": "Annotation patched"}
    patched = await embedded.get(path)
    assert (patched["text"], patched["tags"], patched["timeEnd"]) == ("undone", ["awf", "incident"], 2000)
    await embedded.client.put(
        path, json={"text": "new", "time": 5000, "timeEnd": 5000}, headers=embedded.auth
    )
    replaced = await embedded.get(path)
    assert (replaced["text"], replaced["tags"], replaced["time"]) == ("new", [], 5000)
    assert (await embedded.client.delete(path, headers=embedded.auth)).status_code == 200
    assert (await embedded.client.delete(path, headers=embedded.auth)).status_code == 404


async def test_annotations_are_listed_by_time_tags_and_dashboard(embedded) -> None:
    for text, begin, end, tags in (
        ("a", 1000, 2000, ["x", "y"]),
        ("b", 3000, 3000, ["x"]),
        ("c", 9000, 9000, []),
    ):
        body = {"text": text, "time": begin, "timeEnd": end, "tags": tags, "dashboardUID": f"board-{text}"}
        await embedded.client.post("/api/annotations", json=body, headers=embedded.auth)

    async def texts(**params: object) -> list[str]:
        return [item["text"] for item in await embedded.get("/api/annotations", **params)]

    assert await texts() == ["c", "b", "a"]
    assert await texts(limit=1) == ["c"]
    assert await texts(**{"from": 1500, "to": 3000}) == ["b", "a"]
    assert await texts(tags=["x", "y"]) == ["a"]
    assert await texts(tags=["x", "y"], matchAny="true") == ["b", "a"]
    assert await texts(dashboardUID="board-c") == ["c"]
    assert await texts(type="alert") == []
    tags = await embedded.get("/api/annotations/tags", tag="X")
    assert tags == {"result": {"tags": [{"tag": "x", "count": 2}]}}


@pytest.mark.parametrize("odd", ['"data": {"a": NaN}', '"data": {"a": 1e999}', '"tags": ["\\ud800"]'])
async def test_json_that_cannot_be_written_back_is_refused(embedded, odd) -> None:
    body = f'{{"text": "x", {odd}}}'
    response = await embedded.client.post("/api/annotations", content=body, headers=embedded.auth)
    assert response.status_code == 400
    assert await embedded.get("/api/annotations") == []


async def test_annotation_without_times_is_now_and_a_point(embedded) -> None:
    made = await embedded.client.post("/api/annotations", json={"text": "now"}, headers=embedded.auth)
    stored = await embedded.get(f"/api/annotations/{made.json()['id']}")
    assert stored["time"] == stored["timeEnd"] > 1_600_000_000_000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "text field should not be empty"),
        ({"text": 1}, "text is 1, expected str"),
        ({"text": "a", "tags": [1]}, "tags must be"),
        ({"text": "a", "time": 2000, "timeEnd": 1000}, "cannot run from 2000 to 1000"),
        ({"text": "a", "time": True}, "time is True, expected int"),
        ({"text": "a", "time": 10**30}, "cannot run from"),
        ({"text": "a", "panelId": 10**30}, "panelId"),
        ([], "not a JSON object"),
    ],
)
async def test_wrong_annotation_is_refused_and_nothing_is_stored(embedded, body, message) -> None:
    response = await embedded.client.post("/api/annotations", json=body, headers=embedded.auth)
    assert response.status_code == 400
    assert message in response.json()["message"]
    assert await embedded.get("/api/annotations") == []


async def test_body_that_is_no_json_or_too_large_is_refused(embedded) -> None:
    for content, status in ((b"{", 400), (b"\xff", 400), (b"[" * 900_000, 400), (b" " * 1_000_001, 413)):
        response = await embedded.client.post("/api/annotations", content=content, headers=embedded.auth)
        assert response.status_code == status


async def test_rules_carry_state_health_and_alerts(embedded) -> None:
    data = (await embedded.get("/api/prometheus/grafana/api/v1/rules", includeInternalLabels="true"))["data"]
    (group,) = data["groups"]
    assert (group["name"], group["folderUid"], data["totals"]) == (
        "agents",
        "awf",
        {"firing": 1, "inactive": 1},
    )
    firing, quiet = group["rules"]
    assert firing.items() >= {
        "uid": "awf_agent_errors", "state": "firing", "health": "ok", "type": "alerting",
        "query": "agent_failures > 0.3", "totals": {"alerting": 1},
    }.items()  # fmt: skip
    (alert,) = firing["alerts"]
    assert (alert["state"], alert["value"]) == ("Alerting", "5e-01")
    assert alert["labels"] == {
        "agent_id": "writer", "alertname": "AwfAgentErrors", "grafana_folder": "AWF", "severity": "critical",
    }  # fmt: skip
    assert alert["annotations"] == {"summary": "Agent writer fails"}
    assert (quiet["state"], quiet["duration"], quiet["alerts"]) == ("inactive", 60, [])


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"state": "firing"}, ["AwfAgentErrors"]),
        ({"state": "normal"}, ["AwfQuiet"]),
        ({"search.rule_name": "quiet"}, ["AwfQuiet"]),
        ({"rule_group": "agents", "folder_uid": "awf"}, ["AwfAgentErrors", "AwfQuiet"]),
        ({"folder_uid": "other"}, []),
        ({"rule_group": "other"}, []),
        ({"rule_limit": "1"}, ["AwfAgentErrors"]),
    ],
)
async def test_rules_are_filtered(embedded, params, names) -> None:
    data = (await embedded.get("/api/prometheus/grafana/api/v1/rules", **params))["data"]
    assert [rule["name"] for group in data["groups"] for rule in group["rules"]] == names


async def test_alerts_of_a_rule_are_filtered_and_limited(embedded) -> None:
    async def count(**params: str) -> int:
        data = (await embedded.get("/api/prometheus/grafana/api/v1/rules", **params))["data"]
        return sum(len(rule["alerts"]) for group in data["groups"] for rule in group["rules"])

    assert await count(matcher='{"name": "agent_id", "value": "w.*", "isRegex": true}') == 1
    assert await count(matcher='{"name": "agent_id", "value": "writer", "isEqual": false}') == 0
    assert await count(limit_alerts="0") == 0


async def test_provisioned_rules_contact_point_and_policy_are_told_without_secrets(embedded) -> None:
    rules = await embedded.get("/api/v1/provisioning/alert-rules")
    assert [rule["uid"] for rule in rules] == ["awf_agent_errors", "awf_quiet"]
    rule = await embedded.get("/api/v1/provisioning/alert-rules/awf_quiet")
    assert (rule["for"], rule["folderUID"], rule["data"][0]["datasourceUid"]) == ("1m", "awf", "mimir")
    (point,) = await embedded.get("/api/v1/provisioning/contact-points")
    assert point["settings"]["url"] == "http://127.0.0.1:1/webhooks/grafana-alerts"
    assert point["settings"]["hmacConfig"]["secret"] == "[REDACTED]"
    assert await embedded.get("/api/v1/provisioning/contact-points", name="other") == []
    policy = await embedded.get("/api/v1/provisioning/policies")
    assert (policy["group_by"], policy["group_wait"], policy["repeat_interval"]) == (
        ["alertname"],
        "2s",
        "4h",
    )
    assert await embedded.get("/api/v1/provisioning/mute-timings") == []


async def test_silence_suppresses_an_alert_until_it_is_deleted(embedded) -> None:
    base = "/api/alertmanager/grafana/api/v2"
    (alert,) = await embedded.get(f"{base}/alerts")
    assert alert["status"] == {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"}
    assert alert["labels"]["agent_id"] == "writer"
    assert len(alert["fingerprint"]) == 16
    body = {
        "matchers": [{"name": "agent_id", "value": "writer", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2096-01-01T00:00:00Z", "createdBy": "me", "comment": "c",
    }  # fmt: skip
    made = await embedded.client.post(f"{base}/silences", json=body, headers=embedded.auth)
    silence_id = made.json()["silenceID"]
    (silence,) = await embedded.get(f"{base}/silences", filter='agent_id="writer"')
    assert (silence["id"], silence["status"]["state"]) == (silence_id, "active")
    assert await embedded.get(f"{base}/silences", filter="agent_id=other") == []
    (alert,) = await embedded.get(f"{base}/alerts")
    assert alert["status"]["silencedBy"] == [silence_id]
    assert await embedded.get(f"{base}/alerts", silenced="false") == []
    gone = await embedded.client.delete(f"{base}/silence/{silence_id}", headers=embedded.auth)
    assert gone.status_code == 200
    assert (await embedded.get(f"{base}/silence/{silence_id}"))["status"]["state"] == "expired"
    assert len(await embedded.get(f"{base}/alerts", silenced="false")) == 1


async def test_alerts_are_filtered_by_labels(embedded) -> None:
    path = "/api/alertmanager/grafana/api/v2/alerts"
    assert len(await embedded.get(path, filter=['alertname="AwfAgentErrors"', "severity=~crit.*"])) == 1
    assert await embedded.get(path, filter="severity!=critical") == []
    assert await embedded.get(path, active="false") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matchers": []}, "needs 1 to 32 matchers"),
        ({"endsAt": "soon"}, "silence, endsAt"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, "must end after"),
        ({"startsAt": "2096-01-01T00:00:00"}, "silence, startsAt"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "invalid regular expression"),
        ({"matchers": [{"name": "a", "value": "(a+)+$", "isRegex": True}]}, "(a+)+"),
    ],
)
async def test_wrong_silence_is_refused(embedded, change, message) -> None:
    body = {
        "matchers": [{"name": "a", "value": "b"}], "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2096-01-01T00:00:00Z",
    }  # fmt: skip
    path = "/api/alertmanager/grafana/api/v2/silences"
    response = await embedded.client.post(path, json={**body, **change}, headers=embedded.auth)
    assert response.status_code == 400
    assert message in response.json()["message"]
    assert await embedded.get(path) == []
