"""Asks each program of the stack which version it is, at its own endpoint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from awf.core.http import client
from awf.errors import ConfigError

TIMEOUT_S = 5.0
_BUILD_INFO = re.compile(r'^alloy_build_info\{[^}]*version="([^"]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """Where a program says its version, and how to find it in the answer."""

    name: str
    address: str
    path: str
    find: Callable[[httpx.Response], object]
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """What a program answered: its version, or in one sentence why it is not known."""

    version: str = ""
    trouble: str = ""


def _field(*path: str) -> Callable[[httpx.Response], object]:
    def find(response: httpx.Response) -> object:
        value = response.json()
        for key in path:
            value = value[key]
        return value

    return find


def _alloy(response: httpx.Response) -> object:
    found = _BUILD_INFO.search(response.text)
    return found[1] if found else None


_INITIALIZE: Final = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "awf", "version": "1"},
    },
}  # fmt: skip

PROGRAMS: Final = (
    Program("awf", "http://awf:8000", "/healthz", _field("version")),
    Program("mimir", "http://mimir:9009", "/api/v1/status/buildinfo", _field("data", "version")),
    Program("loki", "http://loki:3100", "/loki/api/v1/status/buildinfo", _field("version")),
    Program("tempo", "http://tempo:3200", "/api/status/buildinfo", _field("version")),
    Program("alloy", "http://alloy:12345", "/metrics", _alloy),
    Program("grafana", "http://grafana:3000", "/api/health", _field("version")),
    Program(
        "mcp-grafana", "http://mcp-grafana-read:8000", "/mcp", _field("result", "serverInfo", "version"),
        body=_INITIALIZE,
    ),
)  # fmt: skip
"""Those that answer over HTTP; the addresses are those inside compose."""


async def ask_all(
    addresses: Mapping[str, str], tokens: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S
) -> dict[str, Running]:
    """Ask every program at once; `addresses` and `tokens` are by its name, the defaults are those of compose.

    Raises ConfigError for an address of a program that does not exist.
    """
    known = {program.name for program in PROGRAMS}
    for name in addresses:
        if name not in known:
            raise ConfigError(f"no program is named {name!r}", hint=f"Programs: {', '.join(sorted(known))}.")
    answers = await asyncio.gather(
        *(
            _ask(
                program,
                addresses.get(program.name, program.address),
                (tokens or {}).get(program.name, ""),
                timeout_s,
            )
            for program in PROGRAMS
        )
    )
    return {program.name: answer for program, answer in zip(PROGRAMS, answers, strict=True)}


async def _ask(program: Program, address: str, token: str, timeout_s: float) -> Running:
    headers = {"Accept": "application/json, text/event-stream, text/plain"}
    method = "POST" if program.body else "GET"
    try:
        async with client(address, token=token, timeout_s=timeout_s) as http:
            response = await http.request(method, program.path, json=program.body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Running(trouble=f"{address} does not answer: {str(error) or type(error).__name__}")
    if response.status_code != 200:
        return Running(trouble=f"{address}{program.path} answers {response.status_code}")
    try:
        version = program.find(response)
    except (ValueError, KeyError, TypeError):
        version = None
    if not isinstance(version, str):
        return Running(trouble=f"{address}{program.path} says no version")
    return Running(version.strip()) if version.strip() else Running(trouble="was built without a version")
