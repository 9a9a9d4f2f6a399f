"""The way to Grafana: the token stays here, answers are bounded, and failures have words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from awf.errors import NotFound, QueryError, TooLarge, Unavailable
from awf.wiring.grafana import GrafanaReader

Answer = Callable[[httpx.Request], httpx.Response]


def reader(answer: Answer, **limits: float) -> GrafanaReader:
    return GrafanaReader("http://grafana:3000", "secret", transport=httpx.MockTransport(answer), **limits)  # type: ignore[arg-type]


async def test_a_query_goes_through_the_datasource_proxy_with_the_servers_token() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": []})

    await reader(answer).query("a/b", "/api/v1/query", {"query": 'up{a="&"}', "time": "1"})
    assert seen[0].url.raw_path.startswith(b"/api/datasources/proxy/uid/a%2Fb/api/v1/query?")
    assert seen[0].url.params["query"] == 'up{a="&"}'
    assert seen[0].headers["authorization"] == "Bearer secret"


async def test_datasources_come_with_their_default_and_their_interval() -> None:
    settings = {"defaultDatasource": "Mimir", "datasources": {
        "Mimir": {"uid": "mimir", "type": "prometheus", "jsonData": {"timeInterval": "5s"}}, "Loki": {"uid": "loki", "type": "loki"}, "x": {}}}  # fmt: skip
    mimir, loki = await reader(lambda _: httpx.Response(200, json=settings)).datasources()
    assert (mimir.uid, mimir.name, mimir.is_default, mimir.interval) == ("mimir", "Mimir", True, "5s")
    assert (loki.is_default, loki.interval) == (False, "")


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (401, {"message": "Invalid API key"}, Unavailable, "refuses the server's token: Invalid API key"),
        (403, {"message": "no"}, Unavailable, "refuses the server's token"),
        (400, {"status": "error", "error": "parse error"}, QueryError, "^parse error$"),
        (422, {"error": "too many samples"}, QueryError, "too many samples"),
        (429, {}, Unavailable, "answers 429"),
        (500, {"message": "oops"}, Unavailable, "answers 500: oops"),
    ],
)
async def test_a_refusal_is_an_error_with_the_datasources_words(
    status: int, body: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await reader(lambda _: httpx.Response(status, json=body)).query("mimir", "/api/v1/query", {})


async def test_a_dashboard_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="'nowhere'"):
        await reader(lambda _: httpx.Response(404, json={})).dashboard("nowhere")


async def test_lokis_plain_text_is_passed_on_and_html_is_no_answer() -> None:
    with pytest.raises(QueryError, match="parse error at line 1"):
        await reader(lambda _: httpx.Response(400, text="parse error at line 1\n")).query("loki", "/x", {})
    with pytest.raises(Unavailable, match="not JSON"):
        await reader(lambda _: httpx.Response(200, text="<html>")).query("loki", "/x", {})


async def test_an_answer_without_end_is_cut_off() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1_000
            yield b"x" * 1_000

    with pytest.raises(TooLarge, match="10,000 bytes"):
        await reader(lambda _: httpx.Response(200, content=endless()), max_bytes=10_000).query("m", "/x", {})
    assert sent < 100_000


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Unavailable, match=r"within 0\.05 s"):
        await reader(never, timeout_s=0.05).query("m", "/x", {})  # type: ignore[arg-type]


async def test_a_grafana_that_is_down_is_named_with_its_address() -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9"):
        await GrafanaReader("http://127.0.0.1:9", "").dashboards()


async def test_what_many_panels_ask_at_once_is_asked_once_and_a_failure_is_asked_again() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(500 if len(seen) == 1 else 200, json={"dashboard": {"title": "x"}})

    grafana = reader(answer)
    with pytest.raises(Unavailable):
        await grafana.dashboard("a")
    found = await asyncio.gather(*(grafana.dashboard("a") for _ in range(5)), grafana.dashboard("b"))
    assert [model["title"] for model in found] == ["x"] * 6
    assert seen == ["/api/dashboards/uid/a", "/api/dashboards/uid/a", "/api/dashboards/uid/b"]
