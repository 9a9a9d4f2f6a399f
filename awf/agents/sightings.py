"""What an investigation asks first, whatever the alert: a fixed set of queries, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from awf.agents.probe import Probe
from awf.agents.recent_changes import changes_before
from awf.analysis.findings import Picture
from awf.core import semconv as sc
from awf.core.incidents import Alert
from awf.core.increase import rises
from awf.core.ports import ChangeHistory, LogLine, Series, Telemetry

BEFORE, LONGEST = timedelta(minutes=10), timedelta(hours=2)
# How long before its start an alert's cause may lie: its range and its `for`, and as much again to compare with.
REACHES = {
    "AWFTokenSurge": timedelta(minutes=25),
    "AWFCostSurge": timedelta(minutes=40),
    "AWFRetryStorm": timedelta(minutes=15),
    "AWFFallbackSurge": timedelta(minutes=15),
}
MAX_POINTS, LEAST_STEP_S = 120, 5
ANY_STREAM = f'{{{sc.SERVICE_NAME}=~".+"}}'

_COUNT, _SUM = f"{sc.STEP_DURATION}_count", f"{sc.STEP_DURATION}_sum"
COUNTERS = {
    sc.AGENT_INVOCATIONS: (sc.AGENT_ID, sc.STATUS),
    _COUNT: (sc.WORKFLOW_ID, sc.STEP_ID, sc.AGENT_ID, sc.STATUS),
    _SUM: (sc.WORKFLOW_ID, sc.STEP_ID, sc.AGENT_ID),
    sc.WORKFLOWS: (sc.WORKFLOW_ID, sc.STATUS),
    sc.TOKENS: (sc.AGENT_ID, sc.DIRECTION, sc.MODEL),
    sc.COST: (sc.AGENT_ID, sc.PROVIDER),
    sc.FALLBACKS: (sc.STEP_ID,),
    sc.EVENTS: (),
}
GAUGES = (sc.EXECUTIONS_PENDING, sc.EXECUTIONS_ACTIVE, sc.WORKERS)
LOGS = {
    "failures": f'{ANY_STREAM} | {sc.EVENT_TYPE}="agent.failed"',
    "errors": f'{ANY_STREAM} | {sc.LEVEL}="error"',
}


LAST_REPORT = (
    f"max(timestamp({sc.EVENTS}))"  # a series that ended is answered with its last value for minutes
)


def sum_by(name: str, labels: Sequence[str]) -> str:
    """Return the query that adds a metric up over everything but these labels."""
    return f"sum by ({', '.join(labels)}) ({name})" if labels else f"sum({name})"


@dataclass(frozen=True, slots=True)
class Window:
    """The time an investigation looks at: from well before the alert until now."""

    start: datetime
    end: datetime
    alert_start: datetime

    @classmethod
    def around(cls, alerts: Sequence[Alert], now: datetime) -> Window:
        earliest = now - LONGEST  # an alert may say that it began in the year 1
        alert_start = min([min(max(alert.starts_at, earliest), now) for alert in alerts], default=now)
        before = max([REACHES.get(alert.name, BEFORE) for alert in alerts], default=BEFORE)
        return cls(max(alert_start - before, earliest), now, alert_start)

    @property
    def step_s(self) -> int:
        seconds = (self.end - self.start).total_seconds()
        return max(LEAST_STEP_S, -int(-seconds // MAX_POINTS))


async def take_picture(
    telemetry: Telemetry, probe: Probe, window: Window, history: ChangeHistory | None = None
) -> Picture:
    """Ask everything in parallel; what does not answer is missing from the picture and noted by the probe."""
    metrics = {name: sum_by(name, labels) for name, labels in COUNTERS.items()}
    metrics |= {name: sum_by(name, ()) for name in GAUGES}

    async def metric(name: str) -> list[Series]:
        ask = partial(
            telemetry.range, metrics[name], start=window.start, end=window.end, step_s=window.step_s
        )
        return await probe.ask(name, ask)

    async def logs(name: str) -> list[LogLine]:
        ask = partial(telemetry.logs, LOGS[name], start=window.start, end=window.end, limit=100)
        return await probe.ask(name, ask)

    # Logs first: they take longest, and not more is asked at a time than the client's limit.
    lines, series, changes, newest = await asyncio.gather(
        asyncio.gather(*(logs(name) for name in LOGS)),
        asyncio.gather(*(metric(name) for name in metrics)),
        changes_before(telemetry, history, probe, window.alert_start, window.end),
        probe.ask("the last report", partial(telemetry.instant, LAST_REPORT, at=window.end)),
    )
    found = dict(zip(metrics, series, strict=True))
    by_log = dict(zip(LOGS, lines, strict=True))
    return Picture(
        start=window.start,
        end=window.end,
        alert_start=window.alert_start,
        counters={name: rises(found[name]) for name in COUNTERS},
        gauges={name: found[name] for name in GAUGES},
        failures=by_log["failures"],
        errors=by_log["errors"],
        changes=changes,
        last_report=newest[0].value if newest else None,
        queries=metrics | LOGS,
        missing=frozenset(probe.missing),
    )
