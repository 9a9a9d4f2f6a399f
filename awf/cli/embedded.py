"""Run the telemetry backend: OTLP in; the Prometheus, Loki, Tempo and Grafana APIs out; rules and alerts.

`stats`, `compact`, `export PATH` and `import PATH` are about its store. They ask the server when it runs, and open the
file when it is stopped. `compact` makes the file smaller only then.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awf.cli._client import add_output, show
from awf.cli._progress import telling
from awf.cli._run import PARENT_FLAG, run_service
from awf.errors import ConfigError

if TYPE_CHECKING:
    from awf.settings import Settings

HELP = "run the embedded telemetry backend, or look after its store"
VERBS = ("run", "stats", "compact", "export", "import")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=VERBS, default="run")
    parser.add_argument("path", nargs="?", type=Path, help="what export writes and import reads")
    parser.add_argument("--format", choices=("parquet", "openmetrics"), default="parquet")
    parser.add_argument("--match", default="", help="a selector of the series to export, as OpenMetrics")
    parser.add_argument("--start", default="", help="export from this time on (2026-01-31T12:00:00Z)")
    parser.add_argument("--end", default="", help="export up to this time")
    add_output(parser)
    parser.add_argument(PARENT_FLAG, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load

    settings = load()
    if args.verb == "run":
        from awf.wiring.telemetry import start_telemetry

        return run_service(lambda: start_telemetry(settings), with_parent=args.with_parent)
    asking = _ask(settings, args.verb, _body(args))
    answer = asyncio.run(telling(asking, partial(_so_far, args), quiet=args.json))
    show(args, answer, [_row(name, value) for name, value in answer.items()], "")
    return 1 if answer.get("problems") else 0


def _body(args: argparse.Namespace) -> dict[str, Any]:
    from awf.core.clock import parse_time

    if args.verb not in ("export", "import"):
        return {}
    if args.path is None:
        raise ConfigError(f"{args.verb} needs a path", hint=f"awf embedded {args.verb} PATH")
    body: dict[str, Any] = {"path": str(args.path.resolve()), "format": args.format, "match": args.match}
    for name in ("start", "end"):
        if text := getattr(args, name):
            try:
                body[f"{name}_ms"] = int(parse_time(text).timestamp() * 1000)
            except ValueError as error:
                raise ConfigError(f"--{name}: {error}", hint="Write it as 2026-01-31T12:00:00Z.") from error
    return body


async def _ask(settings: Settings, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the running server, or do it here when there is none."""
    import httpx

    from awf.core.http import client
    from awf.wiring.secrets import GRAFANA, read_or_make

    address = f"http://{settings.own_address}:{settings.mimir_port}"
    token = settings.secret("grafana_token") or read_or_make(settings.data_dir, GRAFANA)
    async with client(address, token=token) as http:
        try:
            response = await http.post(f"/awf/store/{verb}", json=body, timeout=None)
        except httpx.ConnectError:
            return await _here(settings, verb, body)
    answer: dict[str, Any] = response.json()
    if response.is_error:
        raise ConfigError(str(answer.get("message", response.text)), hint="")
    return answer


async def _here(settings: Settings, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    from awf.embedded.server import STORE_FILE
    from awf.embedded.store import DuckStore
    from awf.embedded.store.rewrite import rewrite
    from awf.embedded.store_admin import VERBS as WORK

    path = settings.data_dir / STORE_FILE
    if not path.exists() and verb != "import":
        raise ConfigError(f"there is no store at {path}", hint="Set AWF_DATA_DIR to where it is.")
    if verb == "compact":
        before, after = rewrite(path, settings.store_memory_mb)
        return {"before_bytes": before, "after_bytes": after}
    store = DuckStore.open(path, memory_mb=settings.store_memory_mb, max_mb=settings.store_max_mb)
    try:
        return await WORK[verb](store, body)
    finally:
        store.close()


def _so_far(args: argparse.Namespace) -> str:
    """Say what is done, and how much an export has written: the server writes on this machine."""
    if args.verb != "export":
        return str(args.verb)
    path: Path = args.path
    partial_text = path.with_name(f".{path.name}.partial")
    files = [partial_text, *path.glob("*.parquet*")]
    written = sum(file.stat().st_size for file in files if file.exists())
    return f"export, {written / 1e6:,.1f} MB"


def _row(name: str, value: object) -> tuple[str, str]:
    bare, _, unit = name.rpartition("_")
    return (bare if unit in ("bytes", "ms") else name).replace("_", " "), _words(unit, value)


def _words(unit: str, value: object) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{count:,} {name}" for name, count in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int):
        return str(value)
    if unit == "ms":
        return f"{datetime.fromtimestamp(value // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{value / 1e6:,.1f} MB" if unit == "bytes" else f"{value:,}"
