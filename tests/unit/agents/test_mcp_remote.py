"""A real mcp-grafana behind HTTP when things go wrong: killed, hung, refusing, another one than we need."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from awf.agents import _mcp_tools as tools
from awf.agents._mcp_remote import McpRemote, McpServer
from awf.errors import ConfigError, Forbidden, QueryError, Unavailable
from awf.settings import load
from awf.wiring.watcher import build_telemetry
from tests.mcp_grafana import McpGrafana
from tests.unit.agents._grafana import END, Grafana, serving

TOKEN = "a server's token"
QUERY = {"datasourceUid": "mimir", "expr": "up", "endTime": "now", "queryType": "instant"}
SLOW = {**QUERY, "expr": "slow"}


@asynccontextmanager
async def remote(
    server: McpGrafana, *, token: str = TOKEN, url: str = "", timeout_s: float = 10.0
) -> AsyncIterator[McpRemote]:
    session = McpRemote(McpServer(url or server.url, lambda: token), tools.READ_TOOLS, timeout_s=timeout_s)
    try:
        yield session
    finally:
        await session.aclose()


@pytest.fixture
def grafana() -> Grafana:
    return Grafana()


@pytest.fixture
async def server(grafana: Grafana) -> AsyncIterator[McpGrafana]:
    async with serving(grafana.app()) as url, McpGrafana(url, token=TOKEN) as started:
        yield started
        grafana.slow.set()


async def test_a_server_that_was_restarted_is_simply_asked_again(server: McpGrafana) -> None:
    async with remote(server) as session:
        await session.start()
        assert not (await session.call(tools.QUERY_METRICS, QUERY)).is_error
        await server.kill()
        with pytest.raises(Unavailable, match="does not answer"):
            await session.call(tools.QUERY_METRICS, QUERY)
        await server.start()
        assert not (await session.call(tools.QUERY_METRICS, QUERY)).is_error


async def test_calls_under_which_the_server_is_killed_fail_at_once_and_later_ones_work(
    server: McpGrafana, grafana: Grafana
) -> None:
    async with remote(server, timeout_s=60) as session:
        await session.start()
        calls = [asyncio.create_task(session.call(tools.QUERY_METRICS, SLOW)) for _ in range(5)]
        async with asyncio.timeout(20):
            while len(grafana.asked) < 5:
                await asyncio.sleep(0.02)
        await server.kill()
        async with asyncio.timeout(20):  # far less than the limit of a call
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in outcomes] == [outcomes[0].__class__] * 5
        assert isinstance(outcomes[0], Unavailable)
        await server.start()
        assert not (await session.call(tools.QUERY_METRICS, QUERY)).is_error


async def test_a_server_that_hangs_costs_a_call_its_time_and_no_more(server: McpGrafana) -> None:
    async with remote(server, timeout_s=0.5) as session:
        await session.start()
        server.send(signal.SIGSTOP)
        with pytest.raises(Unavailable, match=r"did not answer within 0\.5 s") as caught:
            await session.call(tools.QUERY_METRICS, QUERY)
        assert server.url in caught.value.hint
        server.send(signal.SIGCONT)
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(Unavailable):
                    assert not (await session.call(tools.QUERY_METRICS, QUERY)).is_error
                    break


async def test_a_wrong_token_is_told_and_not_shown(server: McpGrafana) -> None:
    async with remote(server, token="the wrong one") as session:
        with pytest.raises(ConfigError, match=r"does not accept our token \(401\)") as caught:
            await session.start()
        assert "MCP_GRAFANA_SERVER_TOKEN" in caught.value.hint
        assert "the wrong one" not in str(caught.value) + caught.value.hint
        with pytest.raises(Unavailable, match="401"):
            await session.call(tools.QUERY_METRICS, QUERY)


async def test_a_host_that_is_not_allowed_is_told_with_the_flag_that_allows_it(server: McpGrafana) -> None:
    async with remote(server, url=server.url.replace("127.0.0.1", "localhost")) as session:
        with pytest.raises(ConfigError, match="does not answer for the host 'localhost:") as caught:
            await session.start()
        assert f"--allowed-hosts localhost:{server.port}" in caught.value.hint


@pytest.mark.parametrize("path", ["/nope", "/mcp/"])
async def test_a_wrong_path_is_told(server: McpGrafana, path: str) -> None:
    async with remote(server, url=server.url.replace("/mcp", path)) as session:
        with pytest.raises(ConfigError, match=f"has nothing at {path}"):
            await session.start()


async def test_an_address_without_a_path_means_the_usual_one(server: McpGrafana) -> None:
    async with remote(server, url=server.url.removesuffix("/mcp")) as session:
        await session.start()
        assert not (await session.call(tools.QUERY_METRICS, QUERY)).is_error


async def test_a_server_that_cannot_annotate_is_refused_at_the_start(server: McpGrafana) -> None:
    session = McpRemote(McpServer(server.url, lambda: TOKEN, "AWF_MCP_ANNOTATE"), tools.WRITE_TOOLS)
    with pytest.raises(ConfigError, match="has no tool 'create_annotation'"):
        await session.start()
    await session.aclose()


async def test_a_server_that_is_not_there_yet_does_not_stop_the_start(grafana: Grafana) -> None:
    async with serving(grafana.app()) as url:
        server = McpGrafana(url, token=TOKEN)
        async with remote(server) as session:
            await session.start()
            with pytest.raises(Unavailable, match="does not answer"):
                await session.call(tools.QUERY_METRICS, QUERY)
            async with server:
                assert not (await session.call(tools.QUERY_METRICS, QUERY)).is_error


async def test_another_server_that_took_the_place_is_checked_before_it_is_used(server: McpGrafana) -> None:
    """Without the tools we call, it must not be asked in the dark."""
    async with remote(server) as session:
        await session.start()
        await server.kill()
        server._command[-2:] = ["--enabled-tools", "annotations"]
        await server.start()
        with pytest.raises(ConfigError, match="has no tool 'query_prometheus'"):
            await session.call(tools.QUERY_METRICS, QUERY)


async def test_only_our_own_tools_can_be_called_whatever_the_server_offers(grafana: Grafana) -> None:
    async with (
        serving(grafana.app()) as url,
        McpGrafana(url, flags=(), token=TOKEN) as server,
        remote(server) as session,
    ):
        await session.start()
        for name in ("create_annotation", "update_dashboard", "grafana_api_request"):
            with pytest.raises(Forbidden, match=name):
                await session.call(tools.Tool(name, ()), {})


async def test_arguments_that_the_tool_does_not_take_are_a_query_error(server: McpGrafana) -> None:
    async with remote(server) as session:
        await session.start()
        found = await session.call(tools.QUERY_METRICS, {**QUERY, "datasource_uid": "x"})
        assert found.is_error
        with pytest.raises(QueryError, match="unknown tool"):
            await session._ask_tool(tools.Tool("query_grafite", ()), {})


@pytest.mark.parametrize(
    "url",
    [
        "mcp-grafana-read:8000",
        "ftp://host/mcp",
        "http://",
        "http://user:secret@host/mcp",
        "http://[::1",
        "http://user:secret@host:port/mcp",
    ],
)
def test_an_address_that_is_none_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="AWF_MCP_READ_URL") as caught:
        McpRemote(McpServer(url), tools.READ_TOOLS)
    assert "secret" not in caught.value.message


async def test_a_token_with_a_line_break_is_a_wrong_setting_and_not_shown(server: McpGrafana) -> None:
    async with remote(server, token="two\nlines") as session:
        with pytest.raises(ConfigError, match="AWF_MCP_READ_TOKEN has characters") as caught:
            await session.start()
        assert "lines" not in caught.value.message


class Fickle:
    """A server that takes a request, after the first of a connection, and goes away without an answer."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
            )
            self.bodies.append(await reader.readexactly(length))
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"


@pytest.mark.parametrize(("tool", "times"), [(tools.QUERY_METRICS, 2), (tools.CREATE_ANNOTATION, 1)])
async def test_a_query_is_asked_twice_and_an_annotation_is_never_written_twice(
    tool: tools.Tool, times: int
) -> None:
    fickle = Fickle()
    async with fickle.serving() as url:
        session = McpRemote(McpServer(url), (tool,))
        session._check = _nothing  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="does not answer"):
            await session.call(tool, {})
        await session.aclose()
    assert len(fickle.bodies) == times


async def _nothing() -> None:
    """Stands for a check that found everything."""


async def test_the_settings_lead_to_servers_and_their_tokens_are_read_at_every_call(
    server: McpGrafana, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    settings = load(
        data_dir=tmp_path, mcp_grafana="no-such-program", mcp_read_url=server.url, mcp_read_token_file=secret,
        mcp_annotate_url="http://127.0.0.1:9/mcp",
    )  # fmt: skip
    async with build_telemetry(settings) as box:
        assert await box.instant("up", at=END)
        secret.write_text("another")
        with pytest.raises(Unavailable, match="401"):
            await box.instant("up", at=END)
        secret.write_text(TOKEN)
        assert await box.instant("up", at=END)
