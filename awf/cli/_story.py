"""Tell in the terminal what happens to incidents, as it happens."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import textwrap
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

STYLES = {
    "fault": "\033[35m", "alert": "\033[31m", "investigation": "\033[36m", "decision": "\033[36m",
    "policy": "\033[36m", "approval": "\033[33m", "action": "\033[34m", "verification": "\033[34m",
    "undo": "\033[33m", "error": "\033[31m", "status": "\033[32m",
}  # fmt: skip
KIND_WIDTH = 13
INDENT = " " * (8 + 2 + KIND_WIDTH + 1)  # under the text


def tell(kind: str, text: str, *, at: datetime | None = None) -> None:
    """Print local time, kind and text; on a terminal coloured, and wrapped under the text."""
    moment = (at.astimezone() if at else datetime.now().astimezone()).strftime("%H:%M:%S")
    shown = f"{kind:<{KIND_WIDTH}}"
    if sys.stdout.isatty():
        shown = f"{STYLES.get(kind, '')}{shown}\033[0m"
        text = _wrapped(text, shutil.get_terminal_size().columns)
    print(f"{moment}  {shown} {text}", flush=True)


def _wrapped(text: str, columns: int) -> str:
    # Addresses and ids stay whole, so that they can be copied.
    width = max(40, columns - len(INDENT))
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return f"\n{INDENT}".join(lines)


def told(entry: Mapping[str, Any], incident: Mapping[str, Any]) -> str:
    """Return an entry's text; a change of status also says of which incident."""
    return f"{entry['text']} · {incident['title']}" if entry["kind"] == "status" else entry["text"]


async def follow(base_url: str, token: str) -> None:
    """Print every new timeline entry of every incident until cancelled; reconnects by itself."""
    seen: dict[str, int] = {}
    while True:
        async for incident in _changes(base_url, token):
            for entry in incident["timeline"][seen.get(incident["id"], 0) :]:
                tell(entry["kind"], told(entry, incident), at=datetime.fromisoformat(entry["at"]))
                if entry["kind"] == "approval" and incident["status"] == "awaiting_approval":
                    print(f"{INDENT}decide here: {base_url}/ui/incidents/{incident['id']}", flush=True)
            seen[incident["id"]] = len(incident["timeline"])
        await asyncio.sleep(1)


async def _changes(base_url: str, token: str) -> AsyncIterator[dict[str, Any]]:
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    timeout = httpx.Timeout(5.0, read=60.0)
    try:
        async with (
            httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout) as http,
            http.stream("GET", "/api/v1/incidents/stream") as response,
        ):
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))
    except httpx.HTTPError:
        return  # the server restarts or stops; `follow` tries again until it is cancelled
