"""From alerts to ranked hypotheses with evidence, by rules: ask, detect, rank, look closer, then ask for advice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from awf.agents.advising import Adviser
from awf.agents.closer_look import look_closer
from awf.agents.disproving import disprove
from awf.agents.hints import hints_of, target_of
from awf.agents.past_incidents import from_other_incidents
from awf.agents.probe import MAX_BYTES, Probe
from awf.agents.sightings import Window, take_picture
from awf.analysis.detectors import detect
from awf.analysis.findings import Picture
from awf.analysis.root_cause import rank
from awf.analysis.ruled_out import rule_out
from awf.core import semconv as sc
from awf.core.clock import Clock
from awf.core.escape import plain_text
from awf.core.incidents import Alert, CauseClass, Evidence, Hypothesis, Investigation, Target
from awf.core.ports import ChangeHistory, IncidentStore, Telemetry

logger = logging.getLogger(__name__)

CONVINCING = 0.5
"""Below this score a hypothesis is shown, but nobody acts on it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one investigation may spend. The model has a time limit of its own."""

    calls: int = 40
    seconds: float = 5.0
    size_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known beside telemetry: earlier orders to engines, other incidents, and where people read about those."""

    history: ChangeHistory | None = None
    incidents: IncidentStore | None = None
    public_url: str = ""


class Investigator:
    """Investigates alerts through `Telemetry`, within a budget of calls, seconds and bytes."""

    def __init__(
        self,
        telemetry: Telemetry,
        clock: Clock,
        *,
        budget: Budget = Budget(),
        memory: Memory = Memory(),
        adviser: Adviser | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._budget = budget
        self._memory = memory
        self._adviser = adviser

    async def investigate(self, alerts: Sequence[Alert]) -> Investigation:
        """Return hypotheses, likeliest first; there is always one, if only that the cause is unknown."""
        started = time.perf_counter()
        budget = self._budget
        probe = Probe(max_calls=budget.calls, seconds=budget.seconds, max_bytes=budget.size_bytes)
        window = Window.around(alerts, self._clock.now())
        picture = await take_picture(self._telemetry, probe, window, self._memory.history)
        hypotheses = await asyncio.to_thread(_conclude, picture, alerts)
        best = hypotheses[0]
        if best.score >= CONVINCING:
            best = await look_closer(self._telemetry, probe, window, picture, best)
        best = await self._with_other_incidents(probe, window, alerts, best)
        found = Investigation(
            hypotheses=tuple(self._linked(each) for each in (best, *hypotheses[1:])),
            not_looked_at=tuple(probe.not_looked_at),
            ruled_out=rule_out(picture, hypotheses),
            is_blind=bool(picture.missing & picture.queries.keys()),
            duration_ms=(time.perf_counter() - started) * 1000,
            queries=probe.calls,
            bytes_read=probe.bytes_read,
        )
        logger.info(
            "investigated",
            extra={"cause": best.cause.value, "score": best.score, "queries": probe.calls,
                   "bytes": probe.bytes_read, "duration_ms": round(found.duration_ms)},
        )  # fmt: skip
        return found if self._adviser is None else await self._adviser.advise(found, alerts)

    async def _with_other_incidents(
        self, probe: Probe, window: Window, alerts: Sequence[Alert], best: Hypothesis
    ) -> Hypothesis:
        memory = self._memory
        if memory.incidents is None:
            return best
        found = await from_other_incidents(
            memory.incidents, probe, alerts, best, now=window.end, url=memory.public_url
        )
        return replace(best, evidence=(*best.evidence, *found))

    def _linked(self, hypothesis: Hypothesis) -> Hypothesis:
        return replace(hypothesis, evidence=tuple(self._link(each) for each in hypothesis.evidence))

    def _link(self, item: Evidence) -> Evidence:
        if item.link or not item.query:
            return item
        link = self._telemetry.link(item.signal, item.query, start=item.start, end=item.end)
        return replace(item, link=link)


def _conclude(picture: Picture, alerts: Sequence[Alert]) -> tuple[Hypothesis, ...]:
    """Return what the picture shows, likeliest first; a false alarm, or that nobody knows, where it shows nothing."""
    hints = hints_of(alerts)
    found = rank(detect(picture), hints)
    is_clear = bool(found) and found[0].score >= CONVINCING
    if is_clear and (hints.is_empty or hints.fit(found[0])):
        return found
    if hints.is_about_us:
        return found if is_clear else (_about_us(alerts), *found)
    # What is found elsewhere has alerts of its own. It makes this one neither true nor false.
    near = [each for each in found if hints.is_empty or hints.fit(each)]
    against = [] if near else disprove(alerts, picture)
    if against:
        return (_false_alarm(alerts, against), *found)
    return found if is_clear else (_unknown(alerts, picture), *found)


def _about_us(alerts: Sequence[Alert]) -> Hypothesis:
    """Trouble of telemetry itself, or of the watcher, is for people: nothing that could be asked would change that."""
    alert = alerts[0]
    said = plain_text(alert.annotations.get("summary", ""), 300)
    name = plain_text(alert.name, 100)
    about = "the watcher" if alert.labels.get(sc.LABEL_COMPONENT) == sc.WATCHER else "telemetry"
    summary = f"{name} is about {about} itself, which only people can mend" + (f": {said}" if said else "")
    return Hypothesis(CauseClass.TELEMETRY_GAP, Target(), 0.0, summary)


def _false_alarm(alerts: Sequence[Alert], against: Sequence[Evidence]) -> Hypothesis:
    name = plain_text(alerts[0].name, 100)
    return Hypothesis(
        cause=CauseClass.FALSE_ALARM,
        target=next((each for each in map(target_of, alerts) if each), Target()),
        score=0.7,
        summary=f"What {name} is about is at work and shows no trouble",
        evidence=tuple(against),
    )


def _unknown(alerts: Sequence[Alert], picture: Picture) -> Hypothesis:
    name = plain_text(alerts[0].name, 100) if alerts else "No alert"
    missing = picture.missing & picture.queries.keys()
    summary = (
        f"{name}: the cause is unknown; {len(missing)} signals could not be looked at"
        if missing
        else f"{name}: the cause is unknown; nothing that AWF measures explains it"
    )
    return Hypothesis(CauseClass.UNKNOWN, Target(), 0.0, summary)
