"""The demo worker: an engine in a process of its own, its traffic, its faults, its telemetry."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from awf.demo.fault import FaultBoard, FaultFile, FaultSchedule
from awf.demo.traffic import Traffic
from awf.demo.workflows import registry
from awf.demo.world import DemoWorld
from awf.errors import ConfigError
from awf.orchestration.remote import HttpDirectory
from awf.settings import Settings
from awf.wiring.engine import start_engine
from awf.wiring.secrets import find

logger = logging.getLogger(__name__)

NAME = "awf-demo"


async def start_demo(settings: Settings) -> Callable[[], Awaitable[None]]:
    """Start everything and return the function that stops it. Raises ConfigError without a token."""
    world = DemoWorld()
    board = FaultBoard(world, _tell)
    schedule = FaultSchedule.parse(settings.demo_faults, board)
    directory = HttpDirectory(settings.api_base, token=_token(settings))
    # Switches in memory only: each run of the demo tells its story from the beginning.
    engine, stop_engine = start_engine(
        settings, registry(world), directory, directory, name=NAME, controls_file=None
    )
    loops = [
        asyncio.create_task(part.run(), name=type(part).__name__)
        for part in (
            Traffic(engine, world, settings.demo_rate),
            schedule,
            FaultFile(_file(settings), board),
        )
    ]
    for loop in loops:
        loop.add_done_callback(_log_failure)

    async def stop() -> None:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await stop_engine()
        await directory.aclose()

    return stop


def fault_names() -> list[str]:
    """Return the names of all faults."""
    return sorted(FaultBoard(DemoWorld()).names)


def switch_fault(settings: Settings, name: str, *, on: bool) -> None:
    """Turn a fault of a running demo on or off; it obeys within a second."""
    path = _file(settings)
    wanted = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(wanted | {name: on}), encoding="utf-8")
    temporary.replace(path)


def _file(settings: Settings) -> Path:
    return settings.data_dir / "demo-faults.json"


def _token(settings: Settings) -> str:
    token = find(settings, "token")
    if not token:
        raise ConfigError(
            "the demo has no token for the API: AWF_TOKEN is not set",
            hint="Make one with `awf token create demo --role worker`, or run `awf up`.",
        )
    return token


def _tell(text: str) -> None:
    # `awf up` shows these lines; a user of `awf demo` reads them as they are.
    sys.stdout.write(f"fault {text}\n")
    sys.stdout.flush()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("a part of the demo failed", extra={"part": task.get_name()}, exc_info=error)
