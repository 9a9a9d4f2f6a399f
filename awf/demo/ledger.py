"""What the demo's users got: their own account of every request, which no watcher reads or writes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

from awf.core.clock import Clock, SystemClock, isoformat
from awf.core.types import ExecutionId, ExecutionStatus, Json
from awf.demo.world import DemoWorld
from awf.orchestration import Engine


class Ledger:
    """A file with one JSON line when a request is made and one when it ends; others may read it meanwhile.

    A request that ended says how long its user waited, whether it was answered, and how many calls were spoiled.
    """

    def __init__(self, path: Path, engine: Engine, world: DemoWorld, *, clock: Clock | None = None) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._engine = engine
        self._spoiled: Counter[ExecutionId] = Counter()
        world.spoiled = self._count
        self._clock = clock or SystemClock()
        self._following: set[asyncio.Task[None]] = set()

    def asked(self, execution_id: ExecutionId, workflow_id: str) -> None:
        """Write that a user asked, and in time what came of it."""
        at = self._clock.now()
        self._write({"id": execution_id, "workflow_id": workflow_id, "asked_at": isoformat(at)})
        task = asyncio.create_task(self._follow(execution_id))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    def turned_away(self, workflow_id: str) -> None:
        """Write that a user did not even ask: the queue is too long."""
        now = isoformat(self._clock.now())
        self._write({"id": "", "workflow_id": workflow_id, "asked_at": now, "ended_at": now, "is_ok": False})

    def close(self) -> None:
        for task in self._following:
            task.cancel()
        self._file.close()

    async def _follow(self, execution_id: ExecutionId) -> None:
        record = await self._engine.wait(execution_id)
        self._write({
            "id": execution_id,
            "workflow_id": record.workflow_id,
            "asked_at": isoformat(record.created_at or self._clock.now()),
            "ended_at": isoformat(self._clock.now()),
            "is_ok": record.status is ExecutionStatus.COMPLETED,
            "spoiled": self._spoiled.pop(execution_id, 0),
        })  # fmt: skip

    def _count(self, execution_id: ExecutionId) -> None:
        self._spoiled[execution_id] += 1

    def _write(self, line: Json) -> None:
        self._file.write(json.dumps(line) + "\n")
