"""Only requests that name this server are answered."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from awf.embedded.hosts import HostCheck


async def _hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def client(host: str = "127.0.0.1", also: tuple[str, ...] = ()) -> httpx.AsyncClient:
    app = HostCheck(Starlette(routes=[Route("/", _hello)]), host=host, also=also)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:3000", "127.8.8.8", "localhost:1", "LOCALHOST", "[::1]:3000", "[::1]",
     "box.lan:3000", "grafana"],
)  # fmt: skip
async def test_this_servers_names_pass(host: str) -> None:
    async with client("box.lan", ("Grafana",)) as browser:
        response = await browser.get("/", headers={"Host": host})
    assert (response.status_code, response.text) == (200, "hello")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "localhost.evil.example", "", "10.0.0.1", "127.0.0.1.nip.io",
             "[::2]", "["],
)  # fmt: skip
async def test_any_other_name_is_forbidden_and_told_what_to_set(host: str) -> None:
    async with client() as browser:
        response = await browser.get("/", headers={"Host": host})
    assert response.status_code == 403
    assert repr(host) in response.json()["message"]
    assert "AWF_ALLOWED_HOSTS" in response.json()["message"]


async def test_two_host_headers_are_forbidden() -> None:
    async with client() as browser:
        response = await browser.get("/", headers=[("Host", "127.0.0.1"), ("Host", "evil.example")])
    assert response.status_code == 403
