"""What the ruler must not forget over a restart, in one JSON file that is replaced atomically."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from awf.core.codec import from_json, to_json
from awf.embedded.ruler.alerts import AlertInstance
from awf.embedded.ruler.notifier import AlertGroup
from awf.embedded.ruler.silences import Silence
from awf.errors import DataDirError, InvalidInput

logger = logging.getLogger(__name__)

FILE_NAME: Final = "ruler.json"


@dataclass(frozen=True, slots=True)
class RulerState:
    """Alert instances by rule uid, what was sent of them, and the silences."""

    saved_at_ms: int = 0
    alerts: Mapping[str, tuple[AlertInstance, ...]] = field(default_factory=dict)
    groups: Mapping[str, AlertGroup] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()


class StateFile:
    """Loads and saves the state; a save that says nothing new is left out."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE_NAME
        self._lock = asyncio.Lock()
        self._saved: RulerState | None = None

    def load(self) -> RulerState:
        """Return the saved state, an empty one when there is none. A file that cannot be understood is
        kept beside (`.broken`) and said in the log: alerts must not wait for its repair."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return RulerState()
        except OSError as error:
            raise DataDirError(
                f"{self._path} cannot be read: {error.strerror}", hint="Check the owner of AWF_DATA_DIR."
            ) from error
        try:
            return from_json(RulerState, json.loads(text))
        except (ValueError, InvalidInput) as error:
            broken = self._path.with_suffix(".broken")
            self._path.replace(broken)
            logger.warning("ruler state not understood", extra={"file": str(broken), "error": str(error)})
            return RulerState()

    async def save(self, state: RulerState) -> None:
        """Write the state durably, unless nothing is left to say. Raises DataDirError."""
        async with self._lock:
            # With alerts the time matters too: it tells how long nobody looked.
            content = state if state.alerts else replace(state, saved_at_ms=0)
            if content == self._saved:
                return
            await asyncio.to_thread(self._write, state)
            self._saved = content

    def _write(self, state: RulerState) -> None:
        text = json.dumps(to_json(state))
        temporary = self._path.with_suffix(".tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            raise DataDirError(
                f"{self._path} cannot be written: {error.strerror}",
                hint="Check space and owner of AWF_DATA_DIR.",
            ) from error
