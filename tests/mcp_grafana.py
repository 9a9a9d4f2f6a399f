"""The real mcp-grafana as a server of its own, as compose runs it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Self

import httpx

from awf.agents import _mcp_tools as tools

COMMAND = str(Path(sys.executable).parent / "mcp-grafana")
START_TIMEOUT_S = 20


class McpGrafana:
    """One server over streamable HTTP on loopback; it can be killed, stopped and started again on its port."""

    def __init__(
        self, grafana_url: str, *, flags: tuple[str, ...] = tools.READ_FLAGS, token: str = "a server's token",
        grafana_token: str = "", hosts: str = "",
    ) -> None:  # fmt: skip
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        address = f"127.0.0.1:{self.port}"
        self.url = f"http://{address}/mcp"
        self._command = [
            COMMAND, "-t", "streamable-http", "--address", address, "--allowed-hosts", hosts or address, *flags,
        ]  # fmt: skip
        own = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("GRAFANA_", "MCP_", "OTEL_"))
        }
        self._environ = own | {
            "GRAFANA_URL": grafana_url, "GRAFANA_USAGE_STATS": "disabled", "MCP_GRAFANA_SERVER_TOKEN": token,
        } | ({"GRAFANA_SERVICE_ACCOUNT_TOKEN": grafana_token} if grafana_token else {})  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server

    async def start(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environ, stdout=self._said, stderr=self._said
        )
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(trust_env=False) as http:
            while True:
                try:
                    await http.get(f"http://127.0.0.1:{self.port}/healthz")
                except httpx.TransportError:
                    assert self._process.returncode is None, self._read()
                    await asyncio.sleep(0.05)
                else:
                    return self

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        self._said.close()

    def _read(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace")[-2000:]
