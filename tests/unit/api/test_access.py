"""Who gets in, and who may do what."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.api._parts import BASE, Api

READ = [
    "/workflows", "/executions", "/incidents", "/approvals/pending", "/audit", "/audit/verify", "/watcher",
    "/metrics", "/api/v1/engines", "/docs", "/ui/incidents", "/ui/approvals", "/ui/executions",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/ui/login", "/ui/static/awf.css"])
async def test_a_few_paths_need_no_token(api: Api, path: str) -> None:
    assert (await api.client().get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/incidents", "/openapi.json", "/nowhere", "/api/v1/tokens", "/metrics"])
async def test_everything_else_is_401_without_one(api: Api, path: str) -> None:
    answer = await api.client().get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/", "/docs", "/ui/incidents", "/ui/approvals"])
async def test_a_browser_is_sent_to_the_login(api: Api, path: str) -> None:
    answer = await api.client().get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/ui/login?next={path}"


async def test_an_htmx_request_is_told_to_go_to_the_login(api: Api) -> None:
    answer = await api.client().get("/ui/incidents", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/ui/login?next=/ui/incidents")


async def test_an_unknown_or_revoked_token_is_401(api: Api) -> None:
    client = api.client("viewer")
    await api.state.tokens.revoke("a-viewer")
    assert (await client.get("/incidents")).status_code == 401
    answer = await client.get("/incidents", headers={"Authorization": "Bearer guess"})
    assert (answer.status_code, answer.json()["reason"]) == (401, "unauthorized")


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "admin"])
async def test_every_role_of_people_reads(api: Api, path: str, role: str) -> None:
    assert (await api.client(role).get(path)).status_code == 200


@pytest.mark.parametrize("path", READ)
async def test_a_worker_reads_nothing(api: Api, path: str) -> None:
    answer = await api.client("worker").get(path)
    assert answer.status_code == 403
    assert "a-worker has the role worker" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/workflows/w/executions", {"operator", "admin"}),
        ("POST", "/executions/x/cancel", {"operator", "admin"}),
        ("POST", "/watcher/pause", {"operator", "admin"}),
        ("POST", "/watcher/resume", {"operator", "admin"}),
        ("POST", "/ui/watcher/pause", {"operator", "admin"}),
        ("POST", "/approvals/apr/approve", {"approver", "admin"}),
        ("POST", "/approvals/apr/reject", {"approver", "admin"}),
        ("POST", "/ui/approvals/apr/approve", {"approver", "admin"}),
        ("POST", "/api/v1/engines", {"worker", "admin"}),
        ("PUT", "/api/v1/engines/e/heartbeat", {"worker", "admin"}),
        ("POST", "/api/v1/engines/e/events", {"worker", "admin"}),
        ("GET", "/api/v1/controls?engine_id=e", {"worker", "admin"}),
        ("POST", "/api/v1/controls/c/ack", {"worker", "admin"}),
        ("GET", "/api/v1/tokens", {"admin"}),
        ("POST", "/api/v1/tokens", {"admin"}),
        ("DELETE", "/api/v1/tokens/x", {"admin"}),
        ("POST", "/api/v1/login-codes", {"admin"}),
    ],
)
async def test_what_changes_things_is_for_its_roles_only(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    found = set()
    for role in api.tokens:
        answer = await api.client(role).request(method, path, json={"reason": "r"})
        if answer.status_code != 403:
            found.add(role)
    assert found == allowed


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::1", ""])
async def test_on_loopback_another_host_name_is_refused(api: Api, host: str) -> None:
    answer = await api.client("admin").get("/incidents", headers={"Host": host})
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8000", "awf.example"])
async def test_loopback_names_and_the_public_one_are_served(api: Api, host: str) -> None:
    client = api.client("admin", public_url="https://awf.example")
    assert (await client.get("/incidents", headers={"Host": host})).status_code == 200


async def test_a_server_for_others_answers_any_host(api: Api) -> None:
    client = api.client("admin", is_loopback=False)
    assert (await client.get("/incidents", headers={"Host": "awf.internal"})).status_code == 200


async def log_in(api: Api, role: str = "admin", **changes: object) -> httpx.AsyncClient:
    client = api.client(**changes)
    answer = await client.post("/ui/login", data={"token": api.tokens[role], "next": "/ui/approvals"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/approvals")
    return client


async def test_the_login_turns_a_token_into_a_strict_http_only_cookie(api: Api) -> None:
    answer = await api.client().post("/ui/login", data={"token": api.tokens["viewer"]})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert api.tokens["viewer"] not in cookie


async def test_over_https_the_cookie_is_secure(api: Api) -> None:
    client = api.client(public_url="https://127.0.0.1")
    answer = await client.post("/ui/login", data={"token": api.tokens["viewer"]})
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(("token", "says"), [("guess", "unknown"), ("worker", "for programs")])
async def test_a_wrong_token_stays_at_the_login_and_says_why(api: Api, token: str, says: str) -> None:
    answer = await api.client().post("/ui/login", data={"token": api.tokens.get(token, token)})
    assert answer.status_code == 401
    assert says in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/ui//evil", "/ui/\\evil", "/api/v1/tokens", "/ui/\n"],
)
async def test_the_login_never_leads_to_another_site(api: Api, target: str) -> None:
    answer = await api.client().post("/ui/login", data={"token": api.tokens["viewer"], "next": target})
    assert answer.headers["location"] == "/ui/incidents"


async def test_a_cookie_reads_pages_api_and_not_more_than_its_token(api: Api) -> None:
    client = await log_in(api, "viewer")
    for path in ("/ui/incidents", "/incidents"):
        assert (await client.get(path)).status_code == 200
    assert (await client.get("/api/v1/tokens")).status_code == 403
    await api.state.tokens.revoke("a-viewer")
    assert (await client.get("/incidents")).status_code == 401


async def csrf_of(api: Api, client: httpx.AsyncClient) -> str:
    session = await api.state.sessions.find(client.cookies["awf_session"])
    assert session is not None
    return session.csrf_token


async def test_a_cookie_alone_changes_nothing(api: Api) -> None:
    client = await log_in(api)
    for path in ("/watcher/pause", "/ui/watcher/pause", "/api/v1/login-codes"):
        answer = await client.post(path)
        assert answer.status_code == 403
        assert "CSRF" in answer.text
    assert not await api.state.switch.is_paused()


async def test_with_the_csrf_token_a_cookie_acts(api: Api) -> None:
    client = await log_in(api)
    token = await csrf_of(api, client)
    assert (await client.post("/watcher/pause", headers={"X-CSRF-Token": token})).status_code == 200
    assert await api.state.switch.is_paused()
    answer = await client.post("/ui/watcher/resume", data={"csrf_token": token, "back": "/ui/approvals"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/approvals")
    assert not await api.state.switch.is_paused()


async def test_a_form_field_is_no_csrf_token_for_the_json_api(api: Api) -> None:
    client = await log_in(api)
    answer = await client.post("/watcher/pause", data={"csrf_token": await csrf_of(api, client)})
    assert answer.status_code == 403


async def test_another_sessions_csrf_token_is_refused(api: Api) -> None:
    one, other = await log_in(api), await log_in(api)
    answer = await one.post("/watcher/pause", headers={"X-CSRF-Token": await csrf_of(api, other)})
    assert answer.status_code == 403


async def test_a_form_from_another_site_is_refused(api: Api) -> None:
    answer = await api.client().post(
        "/ui/login", data={"token": api.tokens["admin"]}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


async def test_a_webhook_from_a_page_of_another_site_is_refused(api: Api) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    client = api.client(webhook_secret="")
    assert (await client.post("/webhooks/grafana-alerts", headers=headers)).status_code == 403


async def test_logging_out_ends_the_session(api: Api) -> None:
    client = await log_in(api)
    cookie = client.cookies["awf_session"]
    answer = await client.post("/ui/logout", data={"csrf_token": await csrf_of(api, client)})
    assert answer.headers["location"] == "/ui/login"
    assert await api.state.sessions.find(cookie) is None


async def test_a_login_link_works_once(api: Api) -> None:
    link = (await api.client("admin").post("/api/v1/login-codes")).json()["url"]
    assert link.startswith(f"{BASE}/ui/login?code=")
    client = api.client()
    first = await client.get(link)
    assert (first.status_code, first.headers["location"]) == (303, "/ui/incidents")
    assert (await client.get("/ui/incidents")).status_code == 200
    second = await api.client().get(link)
    assert second.status_code == 401
    assert "used before or has expired" in second.text


async def test_tokens_are_made_shown_once_listed_and_revoked(api: Api) -> None:
    admin = api.client("admin")
    made = await admin.post("/api/v1/tokens", json={"name": "ci", "role": "operator"})
    assert made.status_code == 201
    token = made.json()["token"]
    listed = await admin.get("/api/v1/tokens")
    assert {"name": "ci", "role": "operator"} in listed.json()["items"]
    assert token not in listed.text
    assert (await admin.post("/api/v1/tokens", json={"name": "ci", "role": "admin"})).status_code == 409
    wrong = await admin.post("/api/v1/tokens", json={"name": "x", "role": "root"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "role")
    assert (await admin.delete("/api/v1/tokens/ci")).status_code == 204
    assert (await admin.delete("/api/v1/tokens/ci")).status_code == 404
    assert (await admin.delete("/api/v1/tokens/a-admin")).status_code == 409
    assert [entry["event"] for entry in (await admin.get("/audit")).json()["items"]] == [
        "token.revoked", "token.created"
    ]  # fmt: skip
