"""One scenario from its start to its end, and what was seen of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from awf.core import semconv as sc
from awf.core.clock import Clock
from awf.core.incidents import IncidentStatus
from awf.core.types import Json
from awf.evaluation.kind import NO_LOGS, NO_TRACES
from awf.evaluation.persona import Person
from awf.evaluation.requests import judge_service, read_ledger
from awf.evaluation.scenario import Scenario
from awf.evaluation.stack import Stack
from awf.evaluation.trouble import Troublemaker
from awf.evaluation.truth import TELLING

POLL_S = 1.0
PAGE, MOST_PAGES = 200, 20
_SIGNALS = {NO_LOGS: "logs", NO_TRACES: "traces"}
_OPEN = frozenset(status.value for status in IncidentStatus if status.is_open)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a scenario lasts at least. A wrong action may come late, so it goes on when its incident is over."""

    warm_up_s: float = math.inf  # at most
    least_s: float = 70.0  # since the trouble began
    quiet_s: float = 15.0  # since everything was over
    watch_s: float = math.inf  # at most


USUAL, SHORT = Pace(), Pace(warm_up_s=12.0, least_s=25.0, quiet_s=3.0, watch_s=75.0)


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a score is made of, beside the users' own ledger."""

    began_at: datetime  # of the trouble
    ended_at: datetime
    incidents: Sequence[Json]
    audit: Sequence[Json]
    answers: Sequence[Json] = field(default_factory=tuple)  # of the person on call


async def run_scenario(scenario: Scenario, stack: Stack, clock: Clock, pace: Pace = USUAL) -> Observation:
    """Start the product, let it be healthy, make trouble, watch, and stop. Raises AwfError when that fails."""
    missing = frozenset(_SIGNALS[name] for name in scenario.noise if name in _SIGNALS)
    person = Person(scenario.truth, scenario.person_s, clock)
    trouble = Troublemaker(scenario, stack, clock)
    try:
        seed = 1000 * scenario.seed + scenario.number
        await stack.start(seed, missing=missing, through_relay=scenario.kind == "telemetry_gap")
        trouble.make_noise()
        await clock.sleep(min(scenario.warm_up_s, pace.warm_up_s))
        began = clock.now()
        trouble.begin()
        try:
            await _Watch(scenario, stack, person, clock, pace).until_over(began)
        finally:
            await trouble.aclose()
        return Observation(
            began, clock.now(), await _incidents(stack), await _pages(stack, "/audit"), person.answers
        )
    finally:
        await stack.stop()


class _Watch:
    """Looks once a second, until nothing more is to come of a scenario or its time is over."""

    def __init__(self, scenario: Scenario, stack: Stack, person: Person, clock: Clock, pace: Pace) -> None:
        self._scenario = scenario
        self._stack = stack
        self._person = person
        self._clock = clock
        self._pace = pace

    async def until_over(self, began: datetime) -> None:
        last_onset_s = max(each.after_s for each in self._scenario.troubles)
        least = timedelta(seconds=self._pace.least_s + last_onset_s)
        watch = timedelta(seconds=min(self._scenario.watch_s, self._pace.watch_s))
        quiet_since = self._clock.now()
        while self._clock.now() - began < watch:
            await self._clock.sleep(POLL_S)
            await self._person.look(self._stack)
            incidents = await _incidents(self._stack)
            now = self._clock.now()
            if not self._is_over(incidents, began, now):
                quiet_since = now
            elif now - began >= least and (now - quiet_since).total_seconds() >= self._pace.quiet_s:
                return

    def _is_over(self, incidents: Sequence[Json], began: datetime, now: datetime) -> bool:
        """Whether the watcher is done, and those who were helped can be seen to be well served."""
        about = [each for each in incidents if is_about(self._scenario, each)]
        if not about or any(each["status"] in _OPEN for each in about):
            return False
        if not any(each["action"] and each["action"]["name"] != TELLING for each in about):
            return True
        service = judge_service(read_ledger(self._stack.ledger), began, now)
        return service.recovered_at is not None or not service.suffered


def is_about(scenario: Scenario, incident: Json) -> bool:
    """Whether an incident is about the scenario's trouble: alerts about AWF itself belong to a telemetry gap only."""
    about_awf = [
        alert["labels"].get(sc.LABEL_COMPONENT) in (sc.PIPELINE, sc.WATCHER) for alert in incident["alerts"]
    ]
    return any(about_awf) if scenario.kind == "telemetry_gap" else not all(about_awf)


async def _incidents(stack: Stack) -> list[Json]:
    """Return the incidents, oldest first."""
    return list(reversed(await _pages(stack, "/incidents")))


async def _pages(stack: Stack, path: str) -> list[Json]:
    found: list[Json] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        page: Any = await stack.ask("GET", f"{path}?limit={PAGE}{cursor}")
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    return found
