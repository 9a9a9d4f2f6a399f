"""Tell in the terminal what happens to incidents, as it happens."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

STYLES = {
    "fault": "\033[35m", "alert": "\033[31m", "investigation": "\033[36m", "decision": "\033[36m",
    "policy": "\033[36m", "approval": "\033[33m", "action": "\033[34m", "verification": "\033[34m",
    "undo": "\033[33m", "error": "\033[31m", "status": "\033[32m",
}  # fmt: skip
KIND_WIDTH = 13


def tell(kind: str, text: str, *, at: datetime | None = None) -> None:
    """Print one line: local time, kind, text; coloured on a terminal."""
    moment = (at.astimezone() if at else datetime.now().astimezone()).strftime("%H:%M:%S")
    shown = f"{kind:<{KIND_WIDTH}}"
    if sys.stdout.isatty():
        shown = f"{STYLES.get(kind, '')}{shown}\033[0m"
    print(f"{moment}  {shown} {text}", flush=True)


async def follow(base_url: str, token: str) -> None:
    """Print every new timeline entry of every incident until cancelled; reconnects by itself."""
    seen: dict[str, int] = {}
    while True:
        async for incident in _changes(base_url, token):
            for entry in incident["timeline"][seen.get(incident["id"], 0) :]:
                tell(entry["kind"], entry["text"], at=datetime.fromisoformat(entry["at"]))
                if entry["kind"] == "approval" and incident["status"] == "awaiting_approval":
                    print(
                        f"{'':{KIND_WIDTH + 11}}decide: {base_url}/ui/incidents/{incident['id']}", flush=True
                    )
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
