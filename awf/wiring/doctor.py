"""Open everything that is configured, one finding each, with what to do about it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from awf.errors import AwfError, ConfigError, DataDirError, MissingDependency, Unavailable
from awf.settings import Settings
from awf.wiring.secrets import find

MCP_GRAFANA_VERSION = "2.1.1"
VERSION_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: whether it worked, what was seen, what to do."""

    what: str
    ok: bool
    detail: str
    hint: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


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


async def examine(settings: Settings) -> list[Finding]:
    """Return one finding for each thing that AWF needs, in the order in which to fix them."""
    checks: list[tuple[str, Callable[[Settings], Awaitable[str]]]] = [
        ("data directory", _data_dir),
        ("mcp-grafana", _mcp_grafana),
        ("webhook secret", _webhook_secret),
        ("API", _api),
        ("Grafana", _grafana),
    ]
    return [await _try(name, check, settings) for name, check in checks]


async def _try(name: str, check: Callable[[Settings], Awaitable[str]], settings: Settings) -> Finding:
    try:
        return Finding(name, ok=True, detail=await check(settings))
    except AwfError as error:
        return Finding(name, ok=False, detail=error.message, hint=error.hint)
    except httpx.HTTPError as error:
        hint = "Start it with `awf up`, or set its address."
        return Finding(name, ok=False, detail=str(error) or type(error).__name__, hint=hint)


async def _data_dir(settings: Settings) -> str:
    path = settings.data_dir
    if path.exists() and not (path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK)):
        raise DataDirError(f"{path} is not a writable directory", hint="Fix its rights, or set AWF_DATA_DIR.")
    return f"{path} ({'there' if path.exists() else 'made at the first start'})"


async def _mcp_grafana(settings: Settings) -> str:
    path = mcp_grafana_path(settings)
    version = await _version(path)
    if MCP_GRAFANA_VERSION not in version:
        raise MissingDependency(
            f"{path} is {version or 'silent about its version'}, expected {MCP_GRAFANA_VERSION}",
            hint=f"pip install mcp-grafana=={MCP_GRAFANA_VERSION}",
        )
    return f"{path} {MCP_GRAFANA_VERSION}"


async def _version(path: str) -> str:
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


async def _webhook_secret(settings: Settings) -> str:
    if not find(settings, "webhook_secret"):
        raise ConfigError(
            "not set: the watcher asks a person for everything",
            hint="Set AWF_WEBHOOK_SECRET to the secret of Grafana's contact point.",
        )
    return "set"


async def _api(settings: Settings) -> str:
    return await _ready(settings.api_base, "/readyz")


async def _grafana(settings: Settings) -> str:
    return await _ready(settings.grafana_base, "/api/health")


async def _ready(base: str, path: str) -> str:
    async with httpx.AsyncClient(base_url=base, timeout=5.0) as http:
        response = await http.get(path)
    if response.status_code != 200:
        raise Unavailable(f"{base}{path} answers {response.status_code}: {response.text[:200]}")
    return base
