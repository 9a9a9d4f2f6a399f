"""The rows of AWF Pipeline about the programs of the stack: Alloy, the stores, Grafana, as they report themselves.

They are scraped in the stack of compose.yaml; elsewhere, and with `awf up`, these panels are empty and say why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from awf.generate import foreign_metrics as fm
from awf.generate import panels as p
from awf.generate import thresholds
from awf.generate.expr import any_of, by, gained, rate, selector

WINDOW = "$__rate_interval"
JOBS = {"job": any_of(fm.STACK_JOBS)}
COMPONENT = (fm.COMPONENT_ID,)
STORES = ("Mimir", "Loki", "Tempo")
ONLY = "Only where Alloy scrapes the stack."
EMPTY = "no stack is scraped here"


def _each(
    metrics: Iterable[str], labels: tuple[str, ...], legend: str, window: str = WINDOW
) -> list[p.Query]:
    """Return one rate for each signal; the legend begins with the signal's name."""
    return [
        (by("sum", labels, rate(metric, window)), f"{signal.replace('_', ' ')} {legend}".strip())
        for signal, metric in zip(fm.SIGNALS, metrics, strict=True)
    ]


def _gained(
    metrics: Iterable[str], labels: tuple[str, ...], names: Iterable[str], legend: str
) -> list[p.Query]:
    """Return the counts of five minutes; the first one ever counts too, for which a counter appears."""
    return [
        (gained(metric, labels, "5m"), f"{name} {legend}")
        for name, metric in zip(names, metrics, strict=True)
    ]


def _all(metrics: Iterable[str], window: str) -> str:
    # A counter that never counted is not there. Zero is only the truth where Alloy reports at all.
    zero = f"max({fm.QUEUE_CAPACITY}) * 0"
    return " + ".join(f"({gained(metric, (), window)} or {zero})" for metric in metrics)


def _lines(*arguments: Any, **options: Any) -> Any:
    panel = p.timeseries(*arguments, **options)
    panel.extraJson = {"fieldConfig": {"defaults": {"noValue": EMPTY}}}
    return panel


def stack() -> list[Any]:
    """Return what is up, how much memory it takes, and when it last started."""
    return [
        p.states("Up", [(by("min", ("job",), selector(fm.UP, **JOBS)), "{{job}}")],
                 {0: ("down", p.RED), 1: ("up", p.GREEN)},
                 "Whether each program answers its scrape. Down for a minute fires AWFComponentDown: docker compose ps and "
                 "its log; Alloy keeps what it cannot deliver meanwhile. A gap in all lanes: Alloy itself, or Mimir. "
                 f"{ONLY}", EMPTY),
        _lines("Memory", [(by("max", ("job",), selector(fm.MEMORY, **JOBS)), "{{job}}")],
                     "bytes", f"Resident memory. Climbing towards its limit in compose.yaml: fewer series, a shorter range of "
                     f"queries, or a higher limit. {ONLY}"),
        _lines("Running for", [(by("min", ("job",), f"time() - {selector(fm.STARTED, **JOBS)}"), "{{job}}")],
                     "s", f"Time since the start. A saw is a program that is restarted again and again: its last lines of log "
                     f"say why. {ONLY}"),
    ]  # fmt: skip


def alloy() -> list[Any]:
    """Return what Alloy takes, keeps and hands on."""
    fill = f"{fm.QUEUE_SIZE} / {fm.QUEUE_CAPACITY}"
    return [
        _lines("Accepted by Alloy", _each(fm.ACCEPTED, (), ""),
                     "cps", f"Items per second that Alloy took in. Far below Events in above: the exporters' way to it. {ONLY}"),
        _lines("Sent by Alloy", _each(fm.SENT, COMPONENT, "{{component_id}}"),
                     "cps", f"Items per second that the stores took. One at zero while others go on: that store. {ONLY}"),
        _lines("Queue use", [(by("max", (fm.COMPONENT_ID, fm.DATA_TYPE), fill), "{{component_id}} {{data_type}}")],
                     "percentunit", "Share of its queue on disk that each exporter of Alloy uses. Above the line "
                     "AWFCollectorQueueFull fires. Growing: its store is down or "
                     f"too slow; at 100% Alloy takes no more and the spools fill instead. {ONLY}",
                     steps=p.above(thresholds.QUEUE_FULL)),
        _lines("Waiting in Alloy", [(by("sum", (fm.COMPONENT_ID, fm.DATA_TYPE), fm.QUEUE_SIZE), "{{component_id}} {{data_type}}")],
                     "bytes", f"Bytes in the queues on disk. Where nothing leaves for a quarter of an hour, "
                     f"AWFCollectorQueueStalled fires. Not back at zero minutes after an outage: see Refused and failed. {ONLY}"),
    ]  # fmt: skip


def losses() -> list[Any]:
    """Return what was refused, failed or dropped, by whom and why."""
    signals = [signal.replace("_", " ") for signal in fm.SIGNALS]
    dropped = _gained(fm.SEND_FAILED, COMPONENT, signals, "not sent, {{component_id}}")
    dropped += _gained(fm.ENQUEUE_FAILED, COMPONENT, signals, "not queued, {{component_id}}")
    discarded = _gained(fm.DISCARDED, ("reason",), STORES, "{{reason}}")
    return [
        p.stat("Dropped by Alloy in 1 h", _all((*fm.SEND_FAILED, *fm.ENQUEUE_FAILED), "1h"), "short",
               "Items that Alloy gave up: a store refused them for good, or the queue could not take them. Not zero: the "
               "graph beside says where, Alloy's log says why.", steps=((p.GREEN, None), (p.RED, 1.0)), empty=EMPTY),
        _lines("Dropped by Alloy", dropped,
                     "short", "Items of the last five minutes; AWFCollectorLosesData fires at the first. not sent: the store refused them (HTTP 400: too old, too long, a "
                     f"limit); not queued: the disk, or a full queue. {ONLY}", stacked=True),
        _lines("Refused by Alloy", _each(fm.REFUSED, COMPONENT, "{{component_id}}"),
                     "cps", f"Items that Alloy did not take, for lack of memory or room. Nothing is lost: the exporters keep "
                     f"them and try again. Steady, AWFCollectorRefuses fires: more memory, or mend the store. {ONLY}", stacked=True),
        _lines("Discarded by the stores", discarded,
                     "short", "What a store threw away in the last five minutes, by its reason. Too old or out of bounds: later "
                     "than the 6 h that metrics and logs have; a rate or a number that is limited: raise the limit, or send "
                     f"less. {ONLY}", stacked=True),
    ]  # fmt: skip


def stores() -> list[Any]:
    """Return how much each store holds, how it answers, and whether rules and notifications work."""
    errors = [
        (
            f'(sum(rate({metric}{{status_code=~"5.."}}[5m])) or sum(rate({metric}[5m])) * 0) / (sum(rate({metric}[5m])) > 0)',
            name,
        )
        for name, metric in zip(STORES, fm.REQUESTS, strict=True)
    ]
    units = ("series", "streams", "live traces")
    held = [
        (f"sum({metric})", f"{name} {unit}")
        for name, unit, metric in zip(STORES, units, fm.HELD, strict=True)
    ]
    return [
        _lines("Requests that failed", errors,
                     "percentunit", "Share of each store's requests that ended with HTTP 5xx over five minutes. Above a few "
                     f"percent: its log; often the disk is full or memory short. {ONLY}", steps=p.above(0.05)),
        _lines("Held in memory", held,
                     "short", "Series, streams and traces in memory. Mimir refuses new series above 100,000: find the label "
                     f"that takes too many values. {ONLY}"),
        _lines("Rules and notifications that failed",
                     [(gained(fm.RULES_FAILED, (), "5m"), "rules in Mimir"),
                      (gained(fm.NOTIFICATIONS_FAILED, ("integration",), "5m"), "Grafana to {{integration}}")],
                     "short", "Failed in the last five minutes. Rules: awf generate --check, and Mimir's log. Notifications: the "
                     f"watcher is down or its secret another; the watcher asks Grafana itself too. {ONLY}"),
    ]  # fmt: skip
