"""Alerts about the way of the events to the collector. No action of the watcher can mend it: it tells people."""

from __future__ import annotations

from collections.abc import Sequence

from awf.core import semconv as sc
from awf.generate import thresholds as t
from awf.generate.expr import any_of, by, gained, rate
from awf.generate.rules._about_awf import PipelineAlert
from awf.generate.spec import PanelLink, RuleGroup

JOB, LOSS, REQUESTS = ("job",), ("job", sc.REASON), ("job", sc.SIGNAL)
WINDOW = "5m"
RETRIED = by("sum", REQUESTS, rate(sc.EXPORT_RETRIES, WINDOW))
TAKEN = by("sum", REQUESTS, rate(f"{sc.EXPORT_DURATION}_count", WINDOW))
PARTLY = gained(sc.EXPORT_FAILURES, LOSS, WINDOW, **{sc.REASON: "=~.+_partly_rejected"})
SEE = "The dashboard AWF Pipeline shows which process."


def _lost(reasons: Sequence[str]) -> str:
    return gained(sc.EVENTS_DROPPED, LOSS, WINDOW, **{sc.REASON: any_of(reasons)}) + " > 0"


LOST = (
    PipelineAlert(
        alert="AWFEventsRefused",
        expr=_lost(sc.REFUSED),
        hold="0s",
        severity="critical",
        summary="{{ $labels.job }} lost {{ $value | humanize }} events: {{ $labels.reason }}",
        description="The spool took no more events: it has reached its limit (spool_full), or the disk is full or "
        f"failing (spool_failed). Workflows go on, but what they did is not recorded. {SEE}",
        shown_by=PanelLink("awf-pipeline", "Lost on the way by reason"),
    ),
    PipelineAlert(
        alert="AWFEventsLost",
        expr=_lost(sc.GIVEN_UP),
        hold="0s",
        severity="critical",
        summary="{{ $labels.job }} lost {{ $value | humanize }} accepted events: {{ $labels.reason }}",
        description="Events that the spool had taken are gone: older than its age bound (expired), or in a damaged "
        f"part of it (corrupt). {SEE}",
        shown_by=PanelLink("awf-pipeline", "Lost on the way by reason"),
    ),
    PipelineAlert(
        alert="AWFEventsRejected",
        expr=f"{_lost(sc.REJECTED)} or {PARTLY} > 0",
        hold="0s",
        severity="warning",
        summary="The collector refused telemetry of {{ $labels.job }} for good ({{ $labels.reason }})",
        description="The collector answered that it will never take some spans, log records or metrics. Whole "
        f"requests (rejected) are set aside in the spool; parts of a request (partly_rejected) are gone. {SEE}",
        shown_by=PanelLink("awf-pipeline", "Set aside"),
    ),
    PipelineAlert(
        alert="AWFEventsDropped",
        expr=_lost((*sc.NOT_TAKEN, *sc.NOT_WRITTEN)),
        hold="0s",
        severity="warning",
        summary="A subscriber in {{ $labels.job }} missed {{ $value | humanize }} events: {{ $labels.reason }}",
        description="Something that listens to events was too slow (queue_full) or failed (handler_failed), or the "
        "exporter has no spool and its queue is full (memory_full), or an event holds what cannot be written "
        f"(invalid). {SEE}",
        shown_by=PanelLink("awf-pipeline", "Dropped for other subscribers by reason"),
    ),
)

BACKLOG = (
    PipelineAlert(
        alert="AWFSpoolNearlyFull",
        expr=f"{by('max', JOB, f'{sc.SPOOL_BYTES} / {sc.SPOOL_LIMIT_BYTES}')} > {t.SPOOL_FULL}",
        hold="1m",
        severity="warning",
        summary="A spool of {{ $labels.job }} is {{ $value | humanizePercentage }} full",
        description="Events come in faster than the collector takes them. When the spool is full, new events are "
        f"refused and lost. {SEE}",
        shown_by=PanelLink("awf-pipeline", "Spool use by process"),
    ),
    PipelineAlert(
        alert="AWFExportStalled",
        expr=f"{by('max', JOB, sc.SPOOL_OLDEST_AGE)} > {t.EXPORT_STALLED_S:.0f}",
        hold="1m",
        severity="critical",
        summary="Events of {{ $labels.job }} wait {{ $value | humanizeDuration }} for the collector",
        description="Traces and logs are not taken, or slower than they are made; metrics still arrive, or this would "
        f"not be known. Where nothing arrives at all, AWFTelemetryAbsent fires instead. {SEE}",
        shown_by=PanelLink("awf-pipeline", "Oldest event by process"),
    ),
    PipelineAlert(
        alert="AWFExportRetries",
        expr=f"{RETRIED} / ({RETRIED} + ({TAKEN} or {RETRIED} * 0)) > {t.EXPORT_RETRIED_SHARE}",
        hold="10m",
        severity="warning",
        summary="{{ $value | humanizePercentage }} of the {{ $labels.signal }} requests of {{ $labels.job }} fail and are "
        "tried again",
        description="More than a fifth of the requests for ten minutes. Nothing is lost yet: the events wait in the "
        f"spool. {SEE}",
        shown_by=PanelLink("awf-pipeline", "Retries by reason"),
    ),
)

LIMITS = (
    PipelineAlert(
        alert="AWFSeriesOverflow",
        expr=gained(sc.SERIES_OVERFLOWS, ("job", sc.METRIC), WINDOW) + " > 0",
        hold="0s",
        severity="warning",
        summary="{{ $labels.metric }} of {{ $labels.job }} has too many series",
        description="A label takes too many values, so measurements are added to one overflow series: sums stay right, "
        f"but what belongs to whom is no longer known. {SEE}",
        shown_by=PanelLink("awf-pipeline", "Series overflows by metric"),
    ),
    PipelineAlert(
        alert="AWFTelemetryTruncated",
        # One long text is not worth anyone's time.
        expr=gained(sc.TRUNCATIONS, ("job", sc.KIND), WINDOW) + f" >= {t.TRUNCATED_IN_5M}",
        hold="0s",
        severity="info",
        summary="{{ $value | humanize }} times {{ $labels.job }} exported less than it was given ({{ $labels.kind }})",
        description="Texts were longer, or attributes more, than what is exported. The events are there, with their ends "
        "cut off.",
        shown_by=PanelLink("awf-pipeline", "Truncations by kind"),
    ),
)

SPEC = RuleGroup(name="pipeline", interval="15s", alerts=(*LOST, *BACKLOG, *LIMITS))
