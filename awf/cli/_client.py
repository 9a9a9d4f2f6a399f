"""What the commands that talk to a running server share: address, token, output."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awf.core.escape import printable
from awf.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    import httpx


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON for a machine to read")


def call(method: str, path: str, *, body: Mapping[str, Any] | None = None) -> Any:
    """Send one request to the API with the operator's token and return the JSON answer.

    Raises Unavailable when nothing answers there, and the error that the API names otherwise.
    """
    return asyncio.run(_call(method, path, body))


def call_for_text(path: str) -> str:
    """Get a text from the API. Raises as `call` does."""
    return asyncio.run(_ask("GET", path, None)).text


async def _call(method: str, path: str, body: Mapping[str, Any] | None) -> Any:
    response = await _ask(method, path, body)
    try:
        return response.json() if response.content else None
    except ValueError as error:
        raise Unavailable(
            f"what answers at {str(response.url.join('/')).rstrip('/')} is not AWF: {response.text[:60]!r}",
            hint="Set AWF_API_URL, or AWF_HOST and AWF_API_PORT, to where the AWF server is.",
        ) from error


async def _ask(method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
    from awf.core.http import client, raise_for_problem, reaching
    from awf.settings import load

    settings = load()
    token = settings.secret("token") or settings.secret("bootstrap_token") or _local_token(settings.data_dir)
    async with client(settings.api_base, token=token) as http:
        with reaching("the AWF server", settings.api_base):
            response = await http.request(method, path, json=body)
    raise_for_problem(response)
    return response


def _local_token(data_dir: Path) -> str:
    path = data_dir / "admin-token"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"no token: AWF_TOKEN is not set and {path} cannot be read",
            hint="Set AWF_TOKEN, or AWF_DATA_DIR to the data directory of the server on this machine.",
        ) from error


def show(args: argparse.Namespace, value: Any, rows: Sequence[Sequence[object]], empty: str) -> int:
    """Print JSON with `--json`, otherwise aligned columns, or a sentence when there is nothing."""
    if args.json:
        json.dump(value, sys.stdout, indent=2)
        print()
    elif not rows:
        print(empty)
    else:
        # Names, reasons and titles are other people's.
        shown = [[printable(str(cell)) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]))]
        for row in shown:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0
