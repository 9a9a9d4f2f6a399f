"""`awf serve` for fault tests: it kills (or stops) itself at one write of an incident, before or after the commit.

Everything is the product's but two things. What it sees of telemetry comes from a file (`_scene.py`), which no Grafana
has to collect first; and `Database.write` counts, by their names, those writes to which one delivery or one answer
leads. Which of them is the last is said by a file, so that a service need not start anew for each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
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

Work = Callable[..., Awaitable[Any]]
_counts: ContextVar[Counter[str] | None] = ContextVar("counts", default=None)
_INNER = frozenset({"_write", "_as_living", "_change", "write", "counted_write"})


def _order_file() -> Path:
    return Path(os.environ["AWF_TEST_ORDER"])


def _order() -> dict[str, str]:
    return dict(json.loads(_order_file().read_text())) if _order_file().exists() else {}


def _caller() -> str:
    """Return the method of the state that writes, as `Attempts.begin`."""
    frame = sys._getframe(2)
    while frame.f_code.co_name in _INNER and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_qualname


def _pass(moment: str, name: str) -> None:
    order = _order()
    if f"{moment} {name}" == order.get("point"):
        _order_file().unlink()
        os.kill(os.getpid(), signal.Signals[order["signal"]])


def _counting(write: Work) -> Work:
    async def counted_write(database: Database, *arguments: Any, **options: Any) -> Any:
        counts = _counts.get()
        if counts is None:
            return await write(database, *arguments, **options)
        caller = _caller()
        counts[caller] += 1
        name = f"{caller}#{counts[caller]}"
        with Path(os.environ["AWF_TEST_POINTS"]).open("a") as points:
            points.write(f"{name}\n")
        _pass("before", name)
        result = await write(database, *arguments, **options)
        _pass("after", name)
        return result

    return counted_write


def _beginning(work: Work) -> Work:
    """Count what follows from a call whose first argument names the subject of the order."""

    async def counted(agent: WatcherAgent, first: Any, *arguments: Any, **options: Any) -> Any:
        named = {first} if isinstance(first, str) else {each.fingerprint for each in first}
        is_meant = _order().get("subject") in named
        token = _counts.set(Counter() if is_meant else None)  # tasks that it starts inherit this
        try:
            return await work(agent, first, *arguments, **options)
        finally:
            _counts.reset(token)

    return counted


def main(environ: Mapping[str, str], log: Path) -> None:
    """Be a service of this environment until a signal ends it, and write its log."""
    os.environ.clear()
    os.environ.update(environ)
    with log.open("ab") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    Database.write = _counting(Database.write)  # type: ignore[method-assign]
    for name in ("handle_alert", "approve_action"):
        setattr(WatcherAgent, name, _beginning(getattr(WatcherAgent, name)))
    folder = Path(environ["AWF_TEST_SCENE"])
    service.build_telemetry = lambda _: SceneTelemetry(folder)  # type: ignore[assignment,return-value]
    configure_logging()
    settings = load()
    sys.exit(run_service(lambda: service.start_service(settings)))
