"""When faults start and end: by a schedule, or by a file that others write while the demo runs."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awf.core.codec import from_json
from awf.demo.fault import FaultBoard
from awf.errors import ConfigError, InvalidInput

logger = logging.getLogger(__name__)

POLL_S = 1.0


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


@dataclass(frozen=True, slots=True)
class Order:
    """A fault as the file has it: `{"on": true, "target": "writer-llm", "intensity": 0.5}`, or only true or false."""

    on: bool = True
    target: str = ""
    intensity: float | None = None


class FaultFile:
    """Obeys a JSON file `{"name": order}` that others write while the demo runs.

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
            found = from_json(dict[str, Any], json.loads(text or "{}"))
            orders = {name: _order(value) for name, value in found.items()}
            for name, order in orders.items():
                self._board.turn(name, on=order.on, target=order.target, intensity=order.intensity)
        except (ValueError, InvalidInput, ConfigError) as error:
            logger.warning("fault file not obeyed", extra={"path": str(self._path), "detail": str(error)})


def _order(value: object) -> Order:
    return from_json(Order, {"on": value} if isinstance(value, bool) else value)
