"""What each program answers about itself, in the shapes of their documentation, and what is said when none comes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from awf.embedded.ports import reserve
from awf.embedded.web import WebServers
from awf.errors import ConfigError
from awf.stack.programs import PROGRAMS, ask_all
from tests.unit.cli._program import HOST

NAMES = [program.name for program in PROGRAMS]


def _programs() -> FastAPI:
    app = FastAPI()
    shapes: dict[str, object] = {
        "/healthz": {"status": "ok", "version": "0.1.0"},
        "/api/v1/status/buildinfo": {
            "status": "success",
            "data": {"application": "Grafana Mimir", "version": "3.2.1"},
        },
        "/loki/api/v1/status/buildinfo": {"version": "3.7.8", "revision": "a", "branch": "b"},
        "/api/status/buildinfo": {"version": "3.1.0", "revision": "a"},
        "/api/health": {"database": "ok", "version": "13.2.3", "commit": "c"},
    }
    for path, shape in shapes.items():
        app.add_api_route(path, lambda shape=shape: shape)

    @app.get("/metrics")
    async def metrics() -> PlainTextResponse:
        labels = 'branch="HEAD",goversion="go1.26",version="v1.20.1"'
        return PlainTextResponse(f"# TYPE alloy_build_info gauge\nalloy_build_info{{{labels}}} 1\n")

    @app.post("/mcp")
    async def mcp(request: Request) -> dict[str, object]:
        body = await request.json()
        assert body["method"] == "initialize"
        assert request.headers["authorization"] == "Bearer t0ken"
        return {"jsonrpc": "2.0", "id": body["id"], "result": {"serverInfo": {"version": "2.1.1"}}}

    return app


@pytest.fixture
async def address() -> AsyncIterator[str]:
    listener = reserve(HOST, {"AWF_API_PORT": 0})[0]
    servers = WebServers()
    await servers.start(_programs(), listener)
    yield f"http://{HOST}:{listener.getsockname()[1]}"
    await servers.stop()
    listener.close()


async def test_every_program_says_its_version(address: str) -> None:
    found = await ask_all(dict.fromkeys(NAMES, address), {"mcp-grafana": "t0ken"})
    assert {name: answer.version for name, answer in found.items()} == {
        "awf": "0.1.0", "mimir": "3.2.1", "loki": "3.7.8", "tempo": "3.1.0", "alloy": "v1.20.1",
        "grafana": "13.2.3", "mcp-grafana": "2.1.1",
    }  # fmt: skip
    assert not any(answer.trouble for answer in found.values())


async def test_a_program_that_is_away_or_is_another_one_is_told_apart(address: str) -> None:
    with socket.create_server((HOST, 0)) as free:
        nobody = f"http://{HOST}:{free.getsockname()[1]}"
    found = await ask_all(dict.fromkeys(NAMES, nobody) | {"loki": f"{address}/metrics", "tempo": address})
    assert f"{nobody} does not answer" in found["grafana"].trouble
    assert "answers 404" in found["loki"].trouble
    assert found["tempo"].version == "3.1.0"


async def test_an_unknown_program_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ConfigError, match="no program is named 'loky'") as error:
        await ask_all({"loky": "http://x"})
    assert "loki" in error.value.hint


async def test_the_real_mcp_grafana_says_the_pinned_version(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "mcp-grafana"
    environ = {
        "PATH": os.environ["PATH"],
        "GRAFANA_URL": "http://127.0.0.1:9",
        "GRAFANA_USAGE_STATS": "disabled",
    }
    with subprocess.Popen(
        [program, "--transport", "streamable-http", "--address", f"127.0.0.1:{port}", "--log-level", "error"],
        env=environ, cwd=tmp_path, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            await _answering(port)
            found = await ask_all({"mcp-grafana": f"http://127.0.0.1:{port}"})
        finally:
            process.terminate()
    assert found["mcp-grafana"].version.removeprefix("v") == "2.1.1", json.dumps(found["mcp-grafana"].trouble)


async def _answering(port: int) -> None:
    import asyncio

    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return
