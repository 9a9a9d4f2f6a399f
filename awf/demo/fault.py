"""Faults: what can go wrong in the demo's world, switched on and off by a schedule or by a file."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from awf.core.codec import from_json
from awf.core.registry import discover
from awf.demo.world import DemoWorld
from awf.errors import ConfigError, InvalidInput

logger = logging.getLogger(__name__)

POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong. `start` and `stop` change the world, and nothing but the world; the
    target (an agent or a provider) is the fault's own choice unless one is given."""

    name: str
    description: str
    start: Callable[[DemoWorld, str | None], None]
    stop: Callable[[DemoWorld, str | None], None]


class FaultBoard:
    """Which faults are on. Turning one to where it stands already changes nothing.

    `tell` is called with a sentence for people whenever one starts or ends.
    """

    def __init__(self, world: DemoWorld, tell: Callable[[str], None] = lambda _: None) -> None:
        self._world = world
        self._tell = tell
        self._faults = discover("awf.demo.faults", Fault)
        self.active: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._faults)

    def check(self, name: str) -> None:
        """Raise ConfigError for an unknown fault."""
        if name not in self._faults:
            raise ConfigError(f"there is no fault {name!r}", hint=f"Faults are {', '.join(self._faults)}.")

    def turn(self, name: str, *, on: bool) -> None:
        """Start or stop a fault. Raises ConfigError for an unknown one."""
        self.check(name)
        if on == (name in self.active):
            return
        fault = self._faults[name]
        if on:
            fault.start(self._world, None)
            self.active.add(name)
        else:
            fault.stop(self._world, None)
            self.active.discard(name)
        logger.info("demo fault", extra={"fault": name, "on": on})
        self._tell(f"{name} starts: {fault.description}" if on else f"{name} ends")


class FaultSchedule:
    """Starts faults at given times after `run()`."""

    def __init__(self, board: FaultBoard, entries: tuple[tuple[float, str], ...]) -> None:
        self._board = board
        self.entries = tuple(sorted(entries))

    @classmethod
    def parse(cls, text: str, board: FaultBoard) -> FaultSchedule:
        """Read `name:seconds,name:seconds`; empty is no fault. Raises ConfigError naming the odd part."""
        entries = []
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, colon, seconds = part.partition(":")
            if not colon or not seconds.strip().replace(".", "", 1).isdecimal():
                raise ConfigError(
                    f"fault {part!r} has no time, expected name:seconds", hint="Write agent_errors:60."
                )
            board.check(name.strip())
            entries.append((float(seconds), name.strip()))
        return cls(board, tuple(entries))

    async def run(self) -> None:
        """Start each fault when its time comes."""
        waited_s = 0.0
        for at_s, name in self.entries:
            await asyncio.sleep(at_s - waited_s)
            waited_s = at_s
            self._board.turn(name, on=True)


class FaultFile:
    """Obeys a JSON file `{"name": true | false}` that others write while the demo runs.

    A file from an earlier run is removed: faults end with the demo they were ordered for.
    """

    def __init__(self, path: Path, board: FaultBoard, *, poll_s: float = POLL_S) -> None:
        self._path = path
        self._board = board
        self._poll_s = poll_s

    async def run(self) -> None:
        """Look at the file every second and act on what changed in it."""
        self._path.unlink(missing_ok=True)
        seen = ""
        while True:
            await asyncio.sleep(self._poll_s)
            text = self._read()
            if text != seen:
                seen = text
                self._obey(text)

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            logger.warning("fault file cannot be read", extra={"path": str(self._path), "detail": str(error)})
            return ""

    def _obey(self, text: str) -> None:
        try:
            for name, on in from_json(dict[str, bool], json.loads(text or "{}")).items():
                self._board.turn(name, on=on)
        except (ValueError, InvalidInput, ConfigError) as error:
            logger.warning("fault file not obeyed", extra={"path": str(self._path), "detail": str(error)})
