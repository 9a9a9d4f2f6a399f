"""An mcp-grafana that runs elsewhere, over streamable HTTP. Each call is one request: there is no session to lose.

A call that is given up here goes on there: over HTTP mcp-grafana does not cancel the query it makes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import httpx
from mcp_types import CallToolResult, ListToolsResult
from pydantic import ValidationError

from awf.agents import _mcp_wire as wire
from awf.agents._mcp_session import require_allowed
from awf.agents._mcp_tools import Tool, check_tools
from awf.core.http import client
from awf.errors import ConfigError, QueryError, Unavailable

T = TypeVar("T", CallToolResult, ListToolsResult)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class McpServer:
    """Where the server is. `token` is asked at every call, so that it can be changed while we run.

    `setting` begins the names of the settings that errors mention.
    """

    url: str
    token: Callable[[], str] = str
    setting: str = "AWF_MCP_READ"


class McpRemote:
    """Implements `McpSession` over HTTP."""

    def __init__(self, server: McpServer, tools: tuple[Tool, ...], *, timeout_s: float = 10.0) -> None:
        self._server = server
        self._url = wire.endpoint(server.url, server.setting)
        self._tools = tools
        self._allowed = frozenset(tool.name for tool in tools)
        self._timeout_s = timeout_s
        # A kept connection may turn out to be dead only once a call is under way: not for what cannot be repeated.
        is_kept = all(tool.is_repeatable for tool in tools)
        self._extra_headers: dict[str, str] = {} if is_kept else {"Connection": "close"}
        self._numbers = count(1)
        self._is_checked = False
        self._http: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Check its tools. A server that does not answer yet is asked again at the first call: it has its own life.

        Raises ConfigError for one that does, and refuses us or has other tools.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._check()
        except wire.Refused as error:
            raise ConfigError(error.message, hint=error.hint) from error
        except (TimeoutError, Unavailable) as error:
            extra = {"url": str(self._url), "error": str(error) or "no answer"}
            logger.warning("mcp-grafana does not answer yet", extra=extra)

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call a tool; one that may be repeated is, once, after a lost connection."""
        require_allowed(tool, self._allowed)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._call(tool, arguments)
        except TimeoutError as error:
            self._is_checked = False
            raise Unavailable(
                f"{tool.name} did not answer within {self._timeout_s:g} s",
                hint=f"Is Grafana slow, mcp-grafana at {self._url} stuck, or AWF_MCP_TIMEOUT_S too short?",
            ) from error

    async def _call(self, tool: Tool, arguments: Mapping[str, Any]) -> CallToolResult:
        try:
            return await self._ask_tool(tool, arguments)
        except wire.Lost as error:
            self._is_checked = False
            if error.was_sent and not tool.is_repeatable:
                raise
            logger.warning("mcp-grafana was lost, asking again", extra={"tool": tool.name})
        return await self._ask_tool(tool, arguments)

    async def _ask_tool(self, tool: Tool, arguments: Mapping[str, Any]) -> CallToolResult:
        if not self._is_checked:  # also after a failure: it may be another one now
            await self._check()
        try:
            result = await self._ask("tools/call", {"name": tool.name, "arguments": dict(arguments)})
        except wire.RpcFailed as error:
            await self._check()  # is it another one than it was? Then that is said
            raise QueryError(f"{tool.name}: {error}") from error
        return self._read(CallToolResult, result)

    async def _check(self) -> None:
        try:
            listed = self._read(ListToolsResult, await self._ask("tools/list", {}))
        except wire.RpcFailed as error:
            raise Unavailable(f"mcp-grafana at {self._url} lists no tools: {error}") from error
        check_tools(listed.tools, self._tools)
        self._is_checked = True

    async def _ask(self, method: str, parameters: Mapping[str, Any]) -> Any:
        if self._http is None:
            self._http = client(str(self._url))
            self._http.timeout = httpx.Timeout(None)  # the limit is on the whole call
        number = next(self._numbers)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        headers = wire.headers(self._server.token(), self._server.setting) | self._extra_headers
        try:
            response = await self._http.post(self._url, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise wire.lost(self._url, error) from error
        wire.require_accepted(response, self._url, self._server.setting)
        return wire.result(response, number)

    def _read(self, kind: type[T], result: Any) -> T:
        try:
            return kind.model_validate(result)
        except ValidationError as error:
            raise Unavailable(f"mcp-grafana at {self._url} answered something that is no MCP") from error
