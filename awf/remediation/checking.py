"""Waiting for proof: settle, look again and again, give up in time. No data is never success."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from awf.core.actions import Applied, Effect, Verification
from awf.core.incidents import Evidence
from awf.errors import AwfError
from awf.remediation.spec import Tools


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing can be concluded so far; at the time limit this is what the verification says."""

    why: str
    effect: Effect = Effect.INCONCLUSIVE


Look = Callable[[datetime, datetime], Awaitable[Verification | NotYet]]
"""Looks at what happened between two times."""


async def observe(look: Look, applied: Applied, tools: Tools, *, timeout_s: float = 0.0) -> Verification:
    """Look from the end of the settling time on, until there is an answer or the time limit is reached."""
    config, clock = tools.config, tools.clock
    settled = applied.at + timedelta(seconds=config.settle_s)
    deadline = settled + timedelta(seconds=timeout_s or config.verify_timeout_s)
    await clock.sleep(max(0.0, (settled - clock.now()).total_seconds()))
    while True:
        now = clock.now()
        try:
            found = await look(settled, now)
        except AwfError as error:
            found = NotYet(f"it could not be looked at: {error.message}")
        if isinstance(found, Verification):
            return found
        if now >= deadline:
            waited = (now - applied.at).total_seconds()
            return Verification(found.effect, f"{waited:.0f} s after the action: {found.why}")
        await clock.sleep(config.poll_s)


def metric(statement: str, query: str, start: datetime, end: datetime, value: float) -> Evidence:
    """Return a metric's reading as evidence."""
    return Evidence("metrics", statement, query, start, end, value=value)
