"""The demo worker: an engine in a process of its own, its traffic, its faults, its telemetry."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from awf.core.counters import Counters
from awf.demo.fault import FaultBoard, FaultFile, FaultSchedule
from awf.demo.traffic import Traffic
from awf.demo.workflows import registry
from awf.demo.world import DemoWorld
from awf.errors import ConfigError
from awf.orchestration import Controls, Engine, EventEmitter
from awf.orchestration.link import EngineLink
from awf.orchestration.otel_exporter import OTelExporter
from awf.orchestration.remote import HttpDirectory
from awf.settings import Settings
from awf.wiring.secrets import WORKER

logger = logging.getLogger(__name__)

ENGINE_ID = "demo"
SERVICE_NAME = "awf-demo"
EXPORTER_QUEUE = 65_536


async def start_demo(settings: Settings) -> Callable[[], Awaitable[None]]:
    """Start everything and return the function that stops it. Raises ConfigError without a token."""
    counters = Counters()
    world = DemoWorld()
    board = FaultBoard(world, _tell)
    schedule = FaultSchedule.parse(settings.demo_faults, board)
    emitter = EventEmitter(counters)
    exporter = OTelExporter(
        f"http://{settings.host}:{settings.otlp_grpc_port}", service_name=SERVICE_NAME, counters=counters
    )
    agents = registry(world)
    # Kept in memory only: each run of the demo tells its story from the beginning.
    controls = Controls(agents)
    engine = Engine(agents, emitter, controls, workers=settings.workers, engine_id=ENGINE_ID)
    exporter.watch(engine.snapshot)
    exporter.watch_counters(counters)
    emitter.subscribe(exporter.on_event, queue_size=EXPORTER_QUEUE)
    directory = HttpDirectory(settings.api_base, token=_token(settings))
    link = EngineLink(engine, directory, directory)
    loops = [
        asyncio.create_task(part.run(), name=type(part).__name__)
        for part in (
            link,
            Traffic(engine, world, settings.demo_rate),
            schedule,
            FaultFile(_file(settings), board),
        )
    ]
    for loop in loops:
        loop.add_done_callback(_log_failure)

    async def stop() -> None:
        for loop in loops[1:]:
            loop.cancel()
        await engine.aclose(0.5)
        loops[0].cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await emitter.aclose(0.5)
        await exporter.shutdown(1.5)
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
    path = settings.data_dir / WORKER
    token = settings.secret("token") or (path.read_text(encoding="utf-8").strip() if path.exists() else "")
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
