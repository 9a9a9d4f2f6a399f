"""The demo worker: an engine in a process of its own, its traffic, its faults, its telemetry."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from awf.demo.fault import FaultBoard
from awf.demo.ledger import Ledger
from awf.demo.orders import FaultFile, FaultSchedule
from awf.demo.traffic import Traffic
from awf.demo.workflows import registry
from awf.demo.world import DemoWorld
from awf.errors import AwfError, ConfigError, DataDirError
from awf.orchestration import Engine
from awf.orchestration.remote import HttpDirectory
from awf.settings import Settings
from awf.wiring.engine import start_engine
from awf.wiring.marks import mark
from awf.wiring.secrets import find

logger = logging.getLogger(__name__)

NAME = "awf-demo"


async def start_demo(
    settings: Settings, *, seed: int, ledger_path: Path | None = None
) -> Callable[[], Awaitable[None]]:
    """Start everything and return the function that stops it. Users' requests are written to a ledger if one is
    wanted. Raises ConfigError without a token, DataDirError for a ledger that cannot be written."""
    marks: set[asyncio.Task[None]] = set()

    def announce(text: str) -> None:
        marks.add(task := asyncio.create_task(_mark(settings, text)))
        task.add_done_callback(marks.discard)

    world = DemoWorld(seed, announce=announce)
    board = FaultBoard(world, _tell)
    schedule = FaultSchedule.parse(settings.demo_faults, board)
    directory = HttpDirectory(settings.api_base, token=_token(settings))
    # Switches in memory only: each run of the demo tells its story from the beginning.
    engine, stop_engine = start_engine(
        settings, registry(world), directory, directory, name=NAME, controls_file=None
    )
    ledger = _open(ledger_path, engine, world) if ledger_path else None
    loops = [
        asyncio.create_task(part.run(), name=type(part).__name__)
        for part in (
            Traffic(engine, world, settings.demo_rate, ledger=ledger),
            schedule,
            FaultFile(_file(settings), board),
        )
    ]
    for loop in loops:
        loop.add_done_callback(_log_failure)

    async def stop() -> None:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, *marks, return_exceptions=True)
        if ledger:
            ledger.close()
        await stop_engine()
        await directory.aclose()

    return stop


def fault_names() -> list[str]:
    """Return the names of all faults."""
    return sorted(FaultBoard(DemoWorld()).names)


def switch_fault(
    settings: Settings, name: str, *, on: bool, target: str = "", intensity: float | None = None
) -> None:
    """Turn a fault of a running demo on or off; it obeys within a second. Raises ConfigError for a wrong target
    or intensity."""
    FaultBoard(DemoWorld()).check(name, target, intensity)
    path = _file(settings)
    wanted = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    temporary = path.with_suffix(".new")
    temporary.write_text(
        json.dumps(wanted | {name: {"on": on, "target": target, "intensity": intensity}}), encoding="utf-8"
    )
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


def _open(path: Path, engine: Engine, world: DemoWorld) -> Ledger:
    try:
        return Ledger(path, engine, world)
    except OSError as error:
        raise DataDirError(
            f"the ledger {path} cannot be written: {error.strerror}", hint="Name another file."
        ) from error


async def _mark(settings: Settings, text: str) -> None:
    try:
        await mark(settings, text, ("awf", "deployment"))
    except AwfError as error:  # a deployment goes on without its mark
        logger.warning("deployment not marked", extra={"text": text, "detail": error.message})


def _tell(text: str) -> None:
    # `awf up` shows these lines; a user of `awf demo` reads them as they are.
    sys.stdout.write(f"fault {text}\n")
    sys.stdout.flush()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("a part of the demo failed", extra={"part": task.get_name()}, exc_info=error)
