"""From alerts to ranked hypotheses with evidence, by rules: ask, detect, rank, look closer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from awf.agents.closer_look import look_closer
from awf.agents.hints import hints_of, is_disprovable, target_of
from awf.agents.probe import Probe
from awf.agents.sightings import Window, take_picture
from awf.analysis.detectors import detect
from awf.analysis.findings import Picture
from awf.analysis.root_cause import Hints, rank
from awf.core import semconv as sc
from awf.core.clock import Clock
from awf.core.escape import plain_text
from awf.core.incidents import Alert, CauseClass, Evidence, Hypothesis, Investigation, Target
from awf.core.increase import total
from awf.core.ports import Telemetry

logger = logging.getLogger(__name__)

CONVINCING = 0.5
"""Below this score a hypothesis is shown, but nobody acts on it."""


class Investigator:
    """Investigates alerts through `Telemetry`, within a budget of calls and seconds."""

    def __init__(
        self, telemetry: Telemetry, clock: Clock, *, max_calls: int = 40, seconds: float = 5.0
    ) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._max_calls = max_calls
        self._seconds = seconds

    async def investigate(self, alerts: Sequence[Alert]) -> Investigation:
        """Return hypotheses, likeliest first; there is always one, if only that the cause is unknown."""
        started = time.perf_counter()
        probe = Probe(max_calls=self._max_calls, seconds=self._seconds)
        window = Window.around(alerts, self._clock.now())
        picture = await take_picture(self._telemetry, probe, window)
        hints = hints_of(alerts)
        hypotheses = rank(await asyncio.to_thread(detect, picture), hints)
        if hypotheses and hypotheses[0].score >= CONVINCING:
            best = await look_closer(self._telemetry, probe, window, picture, hypotheses[0])
            hypotheses = (best, *hypotheses[1:])
        else:
            hypotheses = (_undecided(alerts, hints, picture, has_rivals=bool(hypotheses)), *hypotheses)
        duration_ms = (time.perf_counter() - started) * 1000
        logger.info(
            "investigated",
            extra={"cause": hypotheses[0].cause.value, "score": hypotheses[0].score,
                   "queries": probe.calls, "duration_ms": round(duration_ms)},
        )  # fmt: skip
        return Investigation(hypotheses, tuple(probe.not_looked_at), duration_ms, probe.calls)


def _undecided(alerts: Sequence[Alert], hints: Hints, picture: Picture, *, has_rivals: bool) -> Hypothesis:
    """Return a false alarm if what the alert is about was seen, at work and well; otherwise unknown.

    Trouble of telemetry itself, or of the watcher, is for people, and nothing that could be asked again would
    change that.
    """
    if hints.is_about_us:
        return Hypothesis(CauseClass.TELEMETRY_GAP, Target(), 0.0, _told(alerts[0]))
    unknown = Hypothesis(CauseClass.UNKNOWN, Target(), 0.0, _unknown_summary(alerts, picture))
    if has_rivals or not alerts or not all(is_disprovable(alert) for alert in alerts) or picture.missing:
        return unknown
    seen = [_seen_well(hint, picture) for hint in hints.targets]
    if CauseClass.WORKER_SATURATION in hints.causes and not hints.targets:
        seen = [_queue_is_short(picture)]
    proven = [item for item in seen if item is not None]
    if not seen or len(proven) < len(seen):
        return unknown
    name = plain_text(alerts[0].name, 100)
    target = next((each for each in map(target_of, alerts) if each), Target())
    return replace(
        unknown,
        cause=CauseClass.FALSE_ALARM,
        target=target,
        score=0.7,
        summary=f"What {name} is about is at work and shows no trouble",
        evidence=tuple(proven),
    )


def _unknown_summary(alerts: Sequence[Alert], picture: Picture) -> str:
    name = plain_text(alerts[0].name, 100) if alerts else "No alert"
    if picture.missing:
        return f"{name}: the cause is unknown; {len(picture.missing)} signals could not be looked at"
    return f"{name}: the cause is unknown; nothing that AWF measures explains it"


def _told(alert: Alert) -> str:
    said = plain_text(alert.annotations.get("summary", ""), 300)
    name = plain_text(alert.name, 100)
    about = "the watcher" if alert.labels.get(sc.LABEL_COMPONENT) == sc.WATCHER else "telemetry"
    return f"{name} is about {about} itself, which only people can mend" + (f": {said}" if said else "")


def _seen_well(hint: Target, picture: Picture) -> Evidence | None:
    """Return evidence that an agent or a workflow was at work since before the alert without failing."""
    start, end = picture.start.timestamp(), picture.end.timestamp()
    name, labels = (
        (sc.AGENT_INVOCATIONS, {sc.AGENT_ID: hint.agent_id})
        if hint.agent_id
        else (sc.WORKFLOWS, {sc.WORKFLOW_ID: hint.workflow_id})
    )
    count = total(picture.rises(name), start, end, labels)
    failed = total(picture.rises(name), start, end, labels | {sc.STATUS: sc.FAILED})
    if count < 10 or failed >= 3 or failed > 0.05 * count:
        return None
    statement = f"{hint}: {failed:.0f} of {count:.0f} failed since {picture.start:%H:%M:%S} UTC"
    return Evidence(
        "metrics", statement, picture.queries.get(name, ""), picture.start, picture.end, failed / count
    )


def _queue_is_short(picture: Picture) -> Evidence | None:
    pending = picture.gauges.get(sc.EXECUTIONS_PENDING, ())
    workers = picture.gauges.get(sc.WORKERS, ())
    if not pending or not workers:
        return None
    most, capacity = max(value for _, value in pending[0].points), workers[0].points[-1][1]
    if most > capacity:
        return None
    statement = f"never more than {most:.0f} executions waited for {capacity:.0f} workers"
    query = picture.queries.get(sc.EXECUTIONS_PENDING, "")
    return Evidence("metrics", statement, query, picture.start, picture.end, most)
