"""The demo's users: they start executions, for ever, at a steady but not quite even pace."""

from __future__ import annotations

from awf.core.clock import Clock, SystemClock
from awf.core.types import Json
from awf.demo.ledger import Ledger
from awf.demo.workflows import CODE_REVIEW, RESEARCH_REPORT, SUPPORT_TRIAGE
from awf.demo.world import DemoWorld
from awf.orchestration import Engine

_SHARES = {RESEARCH_REPORT: 0.4, SUPPORT_TRIAGE: 0.35, CODE_REVIEW: 0.25}

_SUBJECTS = {
    RESEARCH_REPORT: ("battery recycling", "tidal power", "urban trees", "open hardware", "soil carbon"),
    SUPPORT_TRIAGE: ("cannot log in", "invoice is wrong", "export is slow", "feature request", "data gone"),
    CODE_REVIEW: ("retry with backoff", "rename a column", "new parser", "drop Python 3.10", "cache warm-up"),
}

MAX_PENDING = 60


class Traffic:
    """Starts executions of all three workflows, `rate_per_s` times the world's arrival factor."""

    def __init__(
        self,
        engine: Engine,
        world: DemoWorld,
        rate_per_s: float = 1.0,
        *,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._world = world
        self._rate_per_s = rate_per_s
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self.started = 0

    async def run(self) -> None:
        """Start executions until cancelled. People stop asking while a long queue stands."""
        while True:
            rate = self._rate_per_s * self._world.arrival_factor
            await self._clock.sleep(self._world.random.uniform(0.5, 1.5) / rate * self._world.time_scale)
            workflow_id, subject = self._next()
            if sum(self._engine.snapshot().pending.values()) < MAX_PENDING:
                execution_id = await self._engine.submit(workflow_id, subject)
                self.started += 1
                if self._ledger:
                    self._ledger.asked(execution_id, workflow_id)
            elif self._ledger:
                self._ledger.turned_away(workflow_id)

    def _next(self) -> tuple[str, Json]:
        draw = self._world.random
        (workflow_id,) = draw.choices(list(_SHARES), list(_SHARES.values()))
        subject = self._world.draw_subject(workflow_id, draw.choice(_SUBJECTS[workflow_id]))
        return workflow_id, {"subject": subject, "number": self.started + 1}
