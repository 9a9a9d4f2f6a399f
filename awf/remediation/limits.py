"""How often the watcher may act, judged by the attempts of all services that share the state.

Pure: the attempts are read, judged and added to in one unit of work (`AttemptLog.begin`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from awf.core.actions import ApplyStatus, Attempt, Effect
from awf.core.incidents import Target
from awf.remediation.spec import RemediationConfig

HOUR = timedelta(hours=1)
HELPED = Effect.EFFECTIVE.value
IN_VAIN = frozenset(
    {Effect.INEFFECTIVE.value, Effect.INCONCLUSIVE.value, ApplyStatus.FAILED.value, ApplyStatus.UNCONFIRMED.value}
)  # fmt: skip
"""Outcomes of actions that did not help, as far as anyone knows."""


class Limits:
    """One action at a time on a place; a cooldown that doubles with every action in vain; a block after several of
    those in a row; actions per hour."""

    def __init__(self, config: RemediationConfig) -> None:
        self._config = config
        self._cooldown = timedelta(seconds=config.cooldown_s)
        self._window = timedelta(seconds=config.block_window_s)

    def since(self, now: datetime) -> datetime:
        """Return from when on attempts count."""
        return now - max(HOUR, self._cooldown, self._window)

    def refusal(self, attempt: Attempt, earlier: Sequence[Attempt]) -> str:
        """Say why an action may not be begun, empty when it may; `earlier` is newest first. What a person approved is
        not held up by what only keeps the watcher from acting alone. The hourly slot is looked at last."""
        is_automatic = not attempt.approved_by
        for place in attempt.places:
            here = [each for each in earlier if place in each.places]
            why = self._is_busy(attempt, here, place) or self._is_too_soon(attempt, here, place)
            if why or (is_automatic and (why := self._is_blocked(attempt, here, place))):
                return why
        automatic = [
            each for each in earlier if each.at > attempt.at - HOUR and each.places and not each.approved_by
        ]
        if attempt.places and is_automatic and len(automatic) >= self._config.max_actions_per_hour:
            return f"{len(automatic)} automatic actions in the last hour, the most allowed"
        return ""

    def _is_busy(self, attempt: Attempt, here: Sequence[Attempt], place: str) -> str:
        for each in here:
            if not each.is_over and each.incident_id != attempt.incident_id:
                return f"incident {each.incident_id} acts on {place} at this moment"
        return ""

    def _is_too_soon(self, attempt: Attempt, here: Sequence[Attempt], place: str) -> str:
        last = next((each for each in here if each.action == attempt.action), None)
        if last is None:
            return ""
        # Longer than the window it cannot be: then nothing is known of it any more.
        wait = min(self._cooldown * 2 ** min(len(_in_vain(here)), 10), max(self._cooldown, self._window))
        if last.at + wait <= attempt.at:
            return ""
        waited = (attempt.at - last.at).total_seconds()
        return (
            f"{attempt.action} was taken on {place} {waited:.0f} s ago; "
            f"the cooldown is {wait.total_seconds():.0f} s"
        )

    def _is_blocked(self, attempt: Attempt, here: Sequence[Attempt], place: str) -> str:
        found = [each for each in _in_vain(here) if each.at > attempt.at - self._window]
        most = self._config.block_after
        if not most or len(found) < most:
            return ""
        until = found[most - 1].at + self._window
        return (
            f"the last {len(found)} actions on {place} did not help; until {until:%Y-%m-%d %H:%M} UTC "
            "only a person may act there"
        )


def _in_vain(here: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts in vain since the last one that helped."""
    return [each for each in takewhile(lambda each: each.outcome != HELPED, here) if each.outcome in IN_VAIN]


def place_keys(places: Sequence[Target]) -> tuple[str, ...]:
    """Return one key a place: an agent seen from two steps is two places, a step is one whatever its agent."""
    return tuple(
        str(Target(workflow_id=place.workflow_id, step_id=place.step_id, execution_id=place.execution_id))
        if place.step_id or place.execution_id
        else str(place)
        for place in places
    )
