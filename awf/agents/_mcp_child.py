"""One mcp-grafana process over stdio: started, checked, called with a time limit, started again once it died."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp_types import CONNECTION_CLOSED, CallToolResult
from pydantic import ValidationError

from awf.agents._mcp_session import require_allowed
from awf.agents._mcp_tools import PIP_LINE, Tool, check_tools
from awf.core.escape import plain_text
from awf.errors import ConfigError, MissingDependency, QueryError, Unavailable

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
LIFE_SIGN_TIMEOUT_S = 3.0


class _Died(Exception):
    """The process ended under a call."""


@dataclass(frozen=True, slots=True)
class ChildConfig:
    """How to start the process, and the only tools that may be called on it.

    `token` is Grafana's and asked at every call: over stdio mcp-grafana reads it once, so one that has changed
    needs a new process.
    """

    command: str
    flags: tuple[str, ...]
    env: Mapping[str, str]
    tools: tuple[Tool, ...]
    timeout_s: float = 10.0
    token: Callable[[], str] = str


class McpChild:
    """Implements `McpSession` over one process. A task of its own holds the session: the SDK wants it left where it was entered."""

    def __init__(self, config: ChildConfig) -> None:
        self._config = config
        self._allowed = frozenset(tool.name for tool in config.tools)
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._token = ""
        self._owner: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._check: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and check its tools. Raises MissingDependency, ConfigError, Unavailable."""
        async with self._lock:
            token = self._config.token()
            if self._client is not None and token != self._token:
                logger.info("the token for Grafana has changed, starting mcp-grafana anew")
                await self._end()
            if self._client is None:
                self._token = token
                await self._start()

    async def aclose(self) -> None:
        if self._check is not None:
            self._check.cancel()
            await asyncio.wait({self._check})
        async with self._lock:
            await self._end()

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call a tool; a process that died is started again once. Raises Unavailable, Forbidden."""
        require_allowed(tool, self._allowed)
        try:
            return await self._call(tool, arguments)
        except _Died:
            logger.warning("mcp-grafana died, starting it again", extra={"tool": tool.name})
        try:
            return await self._call(tool, arguments)
        except _Died as error:
            raise Unavailable(
                f"mcp-grafana died twice under {tool.name}", hint="See its output in the log."
            ) from error

    async def _call(self, tool: Tool, arguments: Mapping[str, Any]) -> CallToolResult:
        await self.start()
        client = self._client
        if client is None:
            raise _Died
        try:
            async with asyncio.timeout(self._config.timeout_s):
                return await client.call_tool(tool.name, dict(arguments))
        except asyncio.CancelledError:  # the caller had less time than the limit
            self._doubt(client)
            raise
        except TimeoutError as error:
            self._doubt(client)
            raise Unavailable(
                f"{tool.name} did not answer within {self._config.timeout_s:g} s",
                hint="Is Grafana slow, or AWF_MCP_TIMEOUT_S too short?",
            ) from error
        except MCPError as error:
            if error.code != CONNECTION_CLOSED:
                raise QueryError(f"{tool.name}: {error.message}") from error
            await self._forget(client)
            raise _Died from error
        except ValidationError as error:
            said = plain_text(str(error), 200)
            raise Unavailable(
                f"{tool.name}: mcp-grafana answered something that is no MCP: {said}"
            ) from error
        except (ClosedResourceError, BrokenResourceError, EndOfStream, OSError) as error:
            await self._forget(client)
            raise _Died from error

    def _doubt(self, client: Client) -> None:
        """Ask a process that did not answer whether it lives: one that hangs would fail every later call."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(
                self._see_whether_it_lives(client), name="mcp-grafana life sign"
            )

    async def _see_whether_it_lives(self, client: Client) -> None:
        try:
            async with asyncio.timeout(LIFE_SIGN_TIMEOUT_S):
                await client.session.list_tools()
        except (TimeoutError, MCPError, ClosedResourceError, BrokenResourceError, EndOfStream, OSError):
            logger.warning("mcp-grafana hangs, ending it")
            await self._forget(client)

    async def _forget(self, client: Client) -> None:
        async with self._lock:
            if self._client is client:
                await self._end()

    async def _start(self) -> None:
        self._stop = asyncio.Event()
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._hold(ready, self._stop), name="mcp-grafana")
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                self._client = await asyncio.shield(ready)
        except TimeoutError as error:
            raise Unavailable(f"mcp-grafana was not ready within {START_TIMEOUT_S:g} s") from error
        finally:
            if self._client is None:  # also when the caller has no more time: nobody else would end it
                self._owner.cancel()
                ready.cancel()

    async def _end(self) -> None:
        self._client = None
        self._stop.set()
        if self._owner is not None:
            await asyncio.wait({self._owner}, timeout=10)
            self._owner = None

    async def _hold(self, ready: asyncio.Future[Client], stop: asyncio.Event) -> None:
        config = self._config
        secret = {"GRAFANA_SERVICE_ACCOUNT_TOKEN": self._token} if self._token else {}
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            parameters = StdioServerParameters(
                command=config.command,
                args=["--log-level", "error", *config.flags],
                env={**config.env, **secret},
            )
            try:
                async with Client(stdio_client(parameters, errlog=said)) as client:
                    check_tools((await client.list_tools()).tools, config.tools)
                    ready.set_result(client)
                    await stop.wait()
            except Exception as error:  # boundary: whatever the SDK or the process does, the caller is told
                if ready.done():
                    logger.debug("session with mcp-grafana ended", extra={"error": repr(error)})
                else:
                    said.seek(0)
                    ready.set_exception(_start_failure(config.command, error, said.read(2000)))


def _start_failure(command: str, error: BaseException, said: str) -> Exception:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, (FileNotFoundError, PermissionError)):
        return MissingDependency(
            f"the program {command!r} cannot be started: {error.strerror}", hint=PIP_LINE
        )
    detail = said.strip() or str(error) or type(error).__name__
    return Unavailable(f"mcp-grafana did not start: {detail[:500]}", hint=f"Run `{command} --version`.")
