"""`awf serve` for fault tests: it kills (or stops) itself at one write of an incident, before or after the commit.

Everything is the product's but two things. What it sees of telemetry comes from a file (`_scene.py`), which no Grafana
has to collect first; and `Database.write` counts those writes that one delivery or one answer leads to, by their names.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from awf.agents.watcher import WatcherAgent
from awf.cli._logging import configure_logging
from awf.cli._run import run_service
from awf.settings import load
from awf.state.database import Database
from awf.wiring import service
from tests.faults._scene import SceneTelemetry

POINT = os.environ.get("AWF_TEST_KILL", "")  # "before Controls.submit#1"; empty: it lives
SIGNAL = signal.Signals[os.environ.get("AWF_TEST_SIGNAL", "SIGKILL")]
FOLDER = Path(os.environ["AWF_TEST_SCENE"])

_is_counted: ContextVar[bool] = ContextVar("is_counted", default=False)
_seen: Counter[str] = Counter()
_INNER = frozenset({"_write", "_as_living", "_change", "write", "counted_write"})


def _caller() -> str:
    """Return the method of the state that writes, as `Attempts.begin`."""
    frame = sys._getframe(2)
    while frame.f_code.co_name in _INNER and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_qualname


def _pass(moment: str, name: str) -> None:
    if f"{moment} {name}" == POINT:
        os.kill(os.getpid(), SIGNAL)


def _counting(write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def counted_write(database: Database, *arguments: Any, **options: Any) -> Any:
        if not _is_counted.get():
            return await write(database, *arguments, **options)
        caller = _caller()
        _seen[caller] += 1
        name = f"{caller}#{_seen[caller]}"
        with (FOLDER / "points").open("a") as points:
            points.write(f"{name}\n")
        _pass("before", name)
        result = await write(database, *arguments, **options)
        _pass("after", name)
        return result

    return counted_write


def _beginning(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def counted(*arguments: Any, **options: Any) -> Any:
        token = _is_counted.set(True)  # tasks that it starts inherit this
        try:
            return await work(*arguments, **options)
        finally:
            _is_counted.reset(token)

    return counted


def main() -> int:
    Database.write = _counting(Database.write)  # type: ignore[method-assign]
    for name in ("handle_alert", "approve_action"):
        setattr(WatcherAgent, name, _beginning(getattr(WatcherAgent, name)))
    service.build_telemetry = lambda _: SceneTelemetry(FOLDER)  # type: ignore[assignment,return-value]
    configure_logging()
    settings = load()
    return run_service(lambda: service.start_service(settings))


if __name__ == "__main__":
    sys.exit(main())
