"""AWF Pipeline: do the events reach the collector and the stores, how much waits, what was lost and why?

The rows about Alloy and the stores are in `_stack.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from awf.core import semconv as sc
from awf.generate import panels as p
from awf.generate import thresholds
from awf.generate.board import dashboard, variable
from awf.generate.dashboards._stack import alloy, losses, stack, stores
from awf.generate.expr import any_of, by, gained, quantile, rate, selector
from awf.generate.spec import DashboardSpec

P = {"job": "=~$job", "instance": "=~$instance"}
PROCESS = ("job", "instance")
WINDOW = "$__rate_interval"
LOST = {sc.REASON: any_of(sc.LOST_ON_EXPORT)}
# Zero is only the truth where something reports: an empty store must not look like a quiet one.
ZERO = f"max({selector(sc.SPOOL_LIMIT_BYTES, **P)}) * 0"
OLDEST_STEPS = ((p.GREEN, None), (p.YELLOW, 30.0), (p.RED, thresholds.EXPORT_STALLED_S))
FULL_STEPS = ((p.GREEN, None), (p.YELLOW, 0.5), (p.RED, thresholds.SPOOL_FULL))
NONE_STEPS = ((p.GREEN, None), (p.RED, 1.0))


def build() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return dashboard(
        "awf-pipeline",
        "AWF Pipeline",
        "The way of the events from the engines through the collector to the stores, as each reports it about itself. "
        "While the collector takes nothing, these panels stand still: look at the spools with `awf spool inspect`.",
        [
            ("Now", 4, _now()),
            ("Spool", 8, _spool()),
            ("Export", 8, _export()),
            ("Losses", 8, _losses()),
            ("Limits", 7, _limits()),
            ("Stack", 8, stack()),
            ("Alloy", 8, alloy()),
            ("Refused and failed", 8, losses()),
            ("Stores", 8, stores()),
        ],
        [
            variable("job", "Job", f"label_values({sc.SPOOL_LIMIT_BYTES}, job)", all_value=".*"),
            variable("instance", "Process", f'label_values({sc.SPOOL_LIMIT_BYTES}{{job=~"$job"}}, instance)', all_value=".*"),
        ],
    )  # fmt: skip


def _or_zero(expr: str) -> str:
    return f"{expr} or {ZERO}"


def _or_none(expr: str, label: str) -> str:
    """Return the expression, or one line at zero called `none` while it has no series at all."""
    return f'{expr} or on () label_replace({ZERO}, "{label}", "none", "", "")'


def _fill(labels: tuple[str, ...]) -> str:
    return by("max", labels, f"{selector(sc.SPOOL_BYTES, **P)} / {selector(sc.SPOOL_LIMIT_BYTES, **P)}")


def _now() -> list[Any]:
    return [
        p.stat("Events in", f"sum({rate(sc.EVENTS, '5m', **P)})", "eps",
               "Events that engines emit per second, over five minutes. None although workflows run: see the engine's log."),
        p.stat("Acknowledged", _or_zero(f"sum({rate(sc.EXPORTED_EVENTS, '5m', **P)})"), "eps",
               "Events per second that the collector has taken. Well below Events in for minutes: see the row Export."),
        p.stat("Waiting", f"sum({selector(sc.SPOOL_EVENTS, **P)})", "short",
               "Events that wait in all spools shown. A few thousand are one batch; growing, the collector is too slow."),
        p.stat("Fullest spool", f"max({_fill(PROCESS)})", "percentunit",
               "Share of its limit (AWF_SPOOL_MAX_MB) that the fullest spool uses. Above 80% AWFSpoolNearlyFull fires; at "
               "100% new events are refused.", steps=FULL_STEPS),
        p.stat("Oldest event", f"max({selector(sc.SPOOL_OLDEST_AGE, **P)})", "s",
               "How long the oldest event waits. Above two minutes AWFExportStalled fires: is the collector up, are its "
               "credentials right?", steps=OLDEST_STEPS),
        p.stat("Lost in 1 h", _or_zero(gained(sc.EVENTS_DROPPED, (), "1h", **P, **LOST)), "short",
               "Events that never reach the collector whole: refused, expired, corrupt or rejected. Not zero: see the row "
               "Losses for the reason, and the runbook of its alert.", steps=NONE_STEPS),
    ]  # fmt: skip


def _spool() -> list[Any]:
    return [
        p.timeseries("In and out",
                     [(f"sum({rate(sc.EVENTS, WINDOW, **P)})", "emitted"),
                      (_or_zero(f"sum({rate(sc.EXPORTED_EVENTS, WINDOW, **P)})"), "acknowledged")],
                     "eps", "What lies between the lines goes to the spool, or comes out of it after an outage."),
        p.timeseries("Waiting events by process", [(by("sum", PROCESS, selector(sc.SPOOL_EVENTS, **P)), "{{job}} {{instance}}")],
                     "short", "Growing in one process: its own way to the collector. In all of them: the collector."),
        p.timeseries("Spool use by process", [(_fill(PROCESS), "{{job}} {{instance}}")],
                     "percentunit", "Share of the limit. Above 80% for a minute the alert AWFSpoolNearlyFull fires: mend the "
                     "collector, or raise AWF_SPOOL_MAX_MB.", steps=p.above(thresholds.SPOOL_FULL)),
        p.timeseries("Oldest event by process", [(by("max", PROCESS, selector(sc.SPOOL_OLDEST_AGE, **P)), "{{job}} {{instance}}")],
                     "s", "Above two minutes for a minute the alert AWFExportStalled fires. At AWF_SPOOL_MAX_AGE_S events "
                     "are given up.", steps=p.above(thresholds.EXPORT_STALLED_S)),
    ]  # fmt: skip


def _export() -> list[Any]:
    signal = (sc.SIGNAL,)
    return [
        p.timeseries("Request latency by signal",
                     [(quantile(q, signal, WINDOW, sc.EXPORT_DURATION, **P), f"{{{{signal}}}} p{round(q * 100)}")
                      for q in (0.5, 0.95, 0.99)],
                     "ms", "Time the collector took to take one request. Rising: it is overloaded, or far away."),
        p.timeseries("Requests taken by signal", [(by("sum", signal, rate(f"{sc.EXPORT_DURATION}_count", WINDOW, **P)), "{{signal}}")],
                     "reqps", "Requests per second that the collector took. One signal missing: its endpoint."),
        p.timeseries("Retries by reason",
                     [(_or_none(by("sum", (sc.SIGNAL, sc.REASON), rate(sc.EXPORT_RETRIES, WINDOW, **P)), sc.REASON),
                       "{{signal}} {{reason}}")],
                     "ops", "Attempts that will be repeated. unreachable, timeout: the collector or the network; throttled: "
                     "its limits; credentials, wrong_endpoint: the settings, they do not heal by themselves.", stacked=True),
        p.timeseries("Given up by reason",
                     [(_or_none(gained(sc.EXPORT_FAILURES, (sc.REASON,), "5m", **P), sc.REASON), "{{reason}}")],
                     "short", "Requests of the last five minutes that were not taken, or only in part. metrics_not_delivered "
                     "heals with the next one; partly_rejected is lost: the engine's log says what the collector said."),
    ]  # fmt: skip


def _losses() -> list[Any]:
    return [
        p.timeseries("Lost on the way by reason", [(_lost_by_reason(sc.LOST_ON_EXPORT), "{{reason}}")],
                     "short", "Events lost in the last five minutes. spool_full: mend the collector; spool_failed: the disk; "
                     "expired: the outage was too long; corrupt: the disk; memory_full: use a spool; invalid: the event.",
                     stacked=True),
        p.timeseries("Set aside", [(_lost_by_reason(sc.REJECTED), "{{reason}}")],
                     "short", "Items that the collector refused for good in the last five minutes. They are kept: correct "
                     "what it objects to, then `awf spool drain --set-aside`."),
        p.timeseries("Dropped for other subscribers by reason", [(_or_none(_others(), sc.REASON), "{{reason}}")],
                     "short", "Events of the last five minutes that the page, the server or a subscriber of yours did not "
                     "get. The export is not affected. queue_full: it is too slow; handler_failed: see the engine's log.",
                     stacked=True),
    ]  # fmt: skip


def _lost_by_reason(reasons: Sequence[str]) -> str:
    lost = gained(sc.EVENTS_DROPPED, (sc.REASON,), "5m", **P, **{sc.REASON: any_of(reasons)})
    return _or_none(lost, sc.REASON)


def _others() -> str:
    ours = "|".join(sc.LOST_ON_EXPORT)
    return gained(sc.EVENTS_DROPPED, (sc.REASON,), "5m", **P, **{sc.REASON: f"!~{ours}"})


def _limits() -> list[Any]:
    return [
        p.timeseries("Redactions by kind",
                     [(_or_none(gained(sc.REDACTIONS, (sc.KIND,), "5m", **P), sc.KIND), "{{kind}}")],
                     "short", "Secrets masked in the last five minutes. Somebody logs them: find out who, and change the "
                     "secret if it was shown elsewhere.", stacked=True),
        p.timeseries("Truncations by kind",
                     [(_or_none(gained(sc.TRUNCATIONS, (sc.KIND,), "5m", **P), sc.KIND), "{{kind}}")],
                     "short", "Texts cut, or attributes left out, in the last five minutes. Ten or more fire "
                     "AWFTelemetryTruncated: emit less of them.", stacked=True),
        p.timeseries("Series overflows by metric",
                     [(_or_none(gained(sc.SERIES_OVERFLOWS, (sc.METRIC,), "5m", **P), sc.METRIC), "{{metric}}")],
                     "short", "Measurements of the last five minutes that went to a metric's overflow series: a label takes "
                     "too many values. Fires AWFSeriesOverflow.", stacked=True),
    ]  # fmt: skip


SPEC = DashboardSpec(name="awf_pipeline", title="AWF Pipeline", build=build)
