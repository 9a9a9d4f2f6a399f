"""Agents that fail until their engine bypasses them, as the telemetry of many services would show it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from awf.core import semconv as sc
from awf.core.clock import SystemClock
from awf.testing import FakeTelemetry, counter, gauge

STEP, BACKUP = "draft", "backup"
JOURNAL = "engine.jsonl"
LONG = timedelta(minutes=20)


class SceneTelemetry(FakeTelemetry):
    """`Telemetry` over `scene.json` (agent and since when it fails) and the engine's own journal.

    A step is well from the moment at which the engine says that it forced its fallback, and only then.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(SystemClock())
        self._folder = folder
        self._read_at: tuple[float, float] = (0.0, 0.0)

    async def open(self) -> Self:
        return self

    async def aclose(self) -> None:
        return

    def _ask(self, signal: str, query: str) -> None:
        super()._ask(signal, query)
        self.queries.clear()
        times = (_changed(self._folder / "scene.json"), _changed(self._folder / JOURNAL))
        if times != self._read_at:
            self._read_at = times
            self._read()

    def _read(self) -> None:
        self._series.clear()
        self.log_lines.clear()
        now = self.clock.now()
        begin, healed = now - LONG, _forced(self._folder / JOURNAL)
        self.add(sc.EXECUTIONS_PENDING, gauge((begin, 0.0)))
        self.add(sc.EXECUTIONS_ACTIVE, gauge((begin, 1.0)))
        self.add(sc.WORKERS, gauge((begin, 4.0)))
        self.add(sc.EVENTS, counter((begin, 10.0)), event_type="agent.completed")
        for agent, since in json.loads((self._folder / "scene.json").read_text()).items():
            self._fail(agent, datetime.fromisoformat(since), healed.get(agent, now + LONG))

    def _fail(self, agent: str, since: datetime, end: datetime) -> None:
        begin = since - LONG
        here: dict[str, Any] = {sc.WORKFLOW_ID: agent, sc.STEP_ID: STEP, sc.STATUS: sc.COMPLETED}
        for status, before, share in ((sc.COMPLETED, 5.0, 0.05), (sc.FAILED, 0.0, 0.95)):
            rate = counter((begin, before), (since, 10.0 * share), (end, 0.0))
            self.add(sc.AGENT_INVOCATIONS, rate, agent_id=agent, status=status)
        self.add(sc.TOKENS, counter((begin, 100.0)), agent_id=agent)
        for name, scale in (("count", (1.0, 1.0, 1.0)), ("sum", (600.0, 1300.0, 700.0))):
            usual, slow, quick = scale
            own = counter((begin, 5.0 * usual), (since, 0.0))
            backup = counter((since, 5.0 * slow), (end, 5.0 * quick))
            self.add(f"{sc.STEP_DURATION}_{name}", own, agent_id=agent, **here)
            self.add(f"{sc.STEP_DURATION}_{name}", backup, agent_id=BACKUP, **here)
        self.add(sc.RETRIES, counter((begin, 0.0), (since, 5.0), (end, 0.0)), step_id=STEP, agent_id=agent)
        for number in range(20):
            self.add_log(
                f"agent {agent} failed for step {STEP}: {agent.rpartition('-')[2]} gave no answer (upstream_error)",
                since + timedelta(seconds=number),
                service_name="awf-demo", level="warn", event_type="agent.failed", workflow_id=agent,
                step_id=STEP, agent_id=agent, error_type="upstream_error", execution_id=f"exe_{number}",
            )  # fmt: skip


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _forced(path: Path) -> dict[str, datetime]:
    """Return the workflows whose fallback the engine has forced, and since when."""
    found: dict[str, datetime] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        entry = json.loads(line)
        if entry["forced"] and entry["status"] == "applied":
            found.setdefault(entry["workflow_id"], datetime.fromisoformat(entry["at"]))
    return found
