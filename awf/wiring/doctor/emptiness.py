"""Why a panel shows nothing: a metric that nobody ever wrote, one that nobody wrote lately, or no such series."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from awf.core import semconv as sc

# Written only once the thing has happened: that they are missing is good news or no news.
_EVENTS: Final = {
    sc.RETRIES: "no step was retried",
    sc.FALLBACKS: "no fallback was taken",
    sc.TOKENS: "no agent told of tokens",
    sc.COST: "no agent told of costs",
    sc.EVENTS_DROPPED: "no event was dropped",
    sc.EXPORT_RETRIES: "no request was repeated",
    sc.EXPORT_FAILURES: "nothing was given up",
    sc.REDACTIONS: "nothing was redacted",
    sc.SECRETS_LOST: "no secret was lost",
    sc.TRUNCATIONS: "nothing was cut",
    sc.SERIES_OVERFLOWS: "no label took too many values",
    sc.WATCHER_ALERTS: "no alert came to the watcher",
    sc.WATCHER_INCIDENTS: "there was no incident",
    sc.WATCHER_ACTIONS: "the watcher did nothing",
    sc.WATCHER_INVESTIGATION_MS: "the watcher investigated nothing",
    sc.WATCHER_RECOVERY_MS: "nothing had to recover",
    sc.WATCHER_DETECTION_MS: "there was no incident",
    sc.WATCHER_STAGE_MS: "no incident went on",
    sc.WATCHER_RECONCILED: "no alert was missed by a webhook",
    sc.WATCHER_FAILURES: "the watcher did not fail",
    sc.WATCHER_APPROVALS_PENDING: "no approval was asked for",
    sc.WATCHER_APPROVAL_EXPIRES: "no approval waits",
    sc.EXECUTION_OLDEST_AGE: "nothing runs",
    sc.ALERTS: "no alert fires",
    sc.ALERTS_FOR_STATE: "no alert fires",
    sc.RULER_EVALUATION_FAILURES: "no rule failed",
    sc.RULER_EVALUATIONS_MISSED: "no evaluation was missed",
    sc.RULER_NOTIFICATIONS: "nothing was notified",
}  # fmt: skip
# By the beginning of a name -> who would write it. The first that fits counts.
_WRITERS: Final = (
    ("awf_watcher_", "the AWF service writes it; does it run, and does its telemetry arrive?"),
    ("awf_ruler_", "the embedded ruler writes it; a Mimir or Grafana has metrics of its own instead"),
    ("awf_", "engines write it; run a workflow, and see `telemetry` above"),
    ("gen_ai_", "bridges to agent frameworks write it"),
    ("otelcol_", "Alloy's self-monitoring writes it; the embedded stack has no Alloy"),
    ("alloy_", "Alloy's self-monitoring writes it; the embedded stack has no Alloy"),
    ("traces_", "Tempo's metrics generator writes it; the embedded stack has none"),
    ("cortex_", "Alloy scrapes Mimir for it; the embedded stack has no Mimir"),
    ("loki_", "Alloy scrapes Loki for it; the embedded stack has no Loki"),
    ("tempo", "Alloy scrapes Tempo for it; the embedded stack has no Tempo"),
    ("grafana_", "Alloy scrapes Grafana for it; the embedded stack has none"),
    ("process_", "Alloy scrapes the programs of the stack for it; the embedded stack has no Alloy"),
    ("prometheus_", "Alloy's self-monitoring writes it; the embedded stack has no Alloy"),
    ("process_", "Alloy scrapes each program for it; the embedded stack has no Alloy"),
    ("up", "Alloy writes it for what it scrapes; the embedded stack has no Alloy"),
)
_HISTOGRAM: Final = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class Known:
    """The metric names that the store has, in the dashboard's time range and at all; and which its rules record."""

    lately: Collection[str]
    ever: Collection[str]
    recorded: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Emptiness:
    """Why a query has no answer, of which metrics that is said, and whether it is as it should be."""

    why: str
    is_normal: bool
    metrics: tuple[str, ...] = ()


def explain(names: Collection[str], known: Known) -> Emptiness:
    """Say why a query over these metrics found nothing."""
    absent = [name for name in sorted(names) if name not in known.lately]
    if not absent:
        return Emptiness("no such series in the time range", is_normal=True)
    events = [_EVENTS[base(name)] for name in absent if base(name) in _EVENTS]
    others = [name for name in absent if base(name) not in _EVENTS]
    if not others:
        return Emptiness(", ".join(dict.fromkeys(events)), is_normal=True)
    if before := [name for name in others if name in known.ever]:
        return Emptiness("not written in the time range, but before", is_normal=True, metrics=tuple(before))
    if waiting := [name for name in others if name in known.recorded]:
        return Emptiness(
            "a rule records it, and has had nothing to record yet", is_normal=True, metrics=tuple(waiting)
        )
    if unrecorded := [name for name in others if ":" in name]:
        return Emptiness("no rule records it: see `rules`", is_normal=False, metrics=tuple(unrecorded))
    who = _writer(others[0])
    same = tuple(name for name in others if _writer(name) == who)
    return Emptiness(f"never written: {who}", is_normal="embedded stack has no" in who, metrics=same)


def _writer(name: str) -> str:
    return next((who for start, who in _WRITERS if name.startswith(start)), "nobody that AWF knows writes it")


def base(name: str) -> str:
    """Return a histogram's name for one of its series."""
    for ending in _HISTOGRAM:
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name
