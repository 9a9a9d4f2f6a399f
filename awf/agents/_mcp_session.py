"""What the toolbox needs of an mcp-grafana, wherever that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mcp_types import CallToolResult

from awf.agents._mcp_tools import Tool
from awf.errors import Forbidden


class McpSession(Protocol):
    """One mcp-grafana: `McpChild` is a process of our own, `McpRemote` a server.

    Only the tools it was made for can be called on it, whatever else it offers.
    """

    async def start(self) -> None:
        """Check its tools. Raises ConfigError, MissingDependency, Unavailable."""

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> CallToolResult:
        """Call a tool within the time limit. Raises Forbidden, QueryError, Unavailable, ConfigError."""

    async def aclose(self) -> None:
        """End it."""


def require_allowed(tool: Tool, allowed: frozenset[str]) -> None:
    """Raise Forbidden for a tool that is not in the session's set."""
    if tool.name not in allowed:
        raise Forbidden(f"tool {tool.name!r} may not be called here")
