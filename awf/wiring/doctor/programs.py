"""The mcp-grafana program: where it is, and which one it is."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from awf.errors import MissingDependency
from awf.settings import Settings

MCP_GRAFANA_VERSION = "2.1.1"
VERSION_TIMEOUT_S = 10


def mcp_grafana_path(settings: Settings) -> str:
    """Return the program's path, looked up beside this Python first. Raises MissingDependency."""
    beside = Path(sys.executable).parent / settings.mcp_grafana
    found = str(beside) if beside.is_file() else shutil.which(settings.mcp_grafana)
    if found is None:
        raise MissingDependency(
            f"the program {settings.mcp_grafana!r} (AWF_MCP_GRAFANA) was not found",
            hint=f"pip install 'awf[watcher]' brings it (mcp-grafana=={MCP_GRAFANA_VERSION}).",
        )
    return found


async def said_version(path: str) -> str:
    """Return what a program says to --version; nothing when it is silent. Raises MissingDependency."""
    try:
        process = await asyncio.create_subprocess_exec(
            path, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        raise MissingDependency(
            f"{path} cannot be run: {error.strerror}", hint="Set AWF_MCP_GRAFANA."
        ) from error
    try:
        said, _ = await asyncio.wait_for(process.communicate(), VERSION_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return said.decode(errors="replace").strip()
