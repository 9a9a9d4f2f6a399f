"""Errors of another process of ours arrive as our errors; a server that is away is named with its address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from awf import errors
from awf.api.problems import add_handlers
from awf.core.http import client, raise_for_problem, reaching

BASE = "http://awf.test"


def _transport(error: errors.AwfError) -> httpx.ASGITransport:
    """Return the network to an API, one whose only answer is this error."""
    app = FastAPI()
    add_handlers(app)

    @app.get("/things")
    async def fail() -> None:
        raise error

    return httpx.ASGITransport(app, raise_app_exceptions=False)


@pytest.mark.parametrize(
    "kind",
    [
        errors.MalformedPayload, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Conflict,
        errors.Expired, errors.TooLarge, errors.InvalidInput, errors.Overloaded, errors.Unavailable,
    ],
)  # fmt: skip
async def test_an_error_of_the_api_arrives_as_itself_with_sentence_and_hint(
    kind: type[errors.AwfError],
) -> None:
    async with client(BASE, transport=_transport(kind("no 'x' here", hint="Use y."))) as http:
        response = await http.get("/things")
    with pytest.raises(errors.AwfError) as caught:
        raise_for_problem(response)
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == ("no 'x' here", "Use y.")


async def test_an_error_inside_the_server_is_unavailable_and_may_be_tried_again() -> None:
    async with client(BASE, transport=_transport(errors.AwfError("an error of ours"))) as http:
        response = await http.get("/things")
    with pytest.raises(errors.Unavailable, match="an error of ours") as caught:
        raise_for_problem(response)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(404, text="<h1>gone</h1>"), "<h1>gone</h1>"),
        (httpx.Response(404), "Not Found"),
        (httpx.Response(404, json=["a list"]), '["a list"]'),
        (httpx.Response(404, json={"detail": None}), '{"detail":null}'),
        (httpx.Response(404, content=b"\xff\xfe"), "��"),
        (httpx.Response(404, text="x" * 10_000), "x" * 200),
    ],
)
def test_an_answer_that_is_no_problem_is_still_an_error_with_what_it_said(
    response: httpx.Response, message: str
) -> None:
    with pytest.raises(errors.NotFound) as caught:
        raise_for_problem(response)
    assert (caught.value.message, caught.value.hint) == (message, "")


@pytest.mark.parametrize("status", [200, 202, 204, 302, 304])
def test_below_400_nothing_is_raised(status: int) -> None:
    raise_for_problem(httpx.Response(status))


async def test_the_token_goes_as_a_bearer_header_and_none_when_there_is_none() -> None:
    seen: list[str | None] = []

    def record(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(200)

    for token in ("s3cret", ""):
        async with client(BASE, token=token, transport=httpx.MockTransport(record)) as http:
            await http.get("/")
    assert seen == ["Bearer s3cret", None]


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Return an address that is taken, so that no other test gets it, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def test_a_server_that_is_away_is_named_with_its_address(silent_address: str) -> None:
    async with client(silent_address) as http:
        with pytest.raises(errors.Unavailable) as caught, reaching("the AWF server", silent_address):
            await http.get("/")
    assert caught.value.message.startswith(f"the AWF server at {silent_address} does not answer: ")
    assert "running" in caught.value.hint
    assert (caught.value.exit_code, caught.value.retryable) == (7, True)


def test_an_error_without_words_is_named_by_its_type() -> None:
    with pytest.raises(errors.Unavailable, match="does not answer: ReadTimeout"), reaching("Grafana", BASE):
        raise httpx.ReadTimeout("")


def test_only_errors_of_the_network_are_turned_into_unavailable() -> None:
    with pytest.raises(ValueError, match="mine"), reaching("Grafana", BASE):
        raise ValueError("mine")


async def test_a_server_on_this_machine_is_reached_directly_whatever_proxy_is_set(
    silent_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", silent_address)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with client(f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/")).status_code == 204
    async with client("http://awf.example") as http:
        with pytest.raises(errors.Unavailable), reaching("elsewhere", "http://awf.example"):
            await http.get("/")  # by the proxy, which is away


@pytest.mark.parametrize("token", ["smörgås", "two\nlines", "nul\0"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(errors.ConfigError, match=f"the token for {BASE} has characters") as caught:
        client(BASE, token=token)
    assert token not in caught.value.message + caught.value.hint
