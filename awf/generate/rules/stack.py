"""Alerts about the programs around AWF: Alloy's queues and losses, and whether all of them answer.

They need Alloy to scrape itself and the stores, as `alloy/config.alloy` does; without that they never fire.
"""

from __future__ import annotations

from collections.abc import Iterable

from awf.generate import foreign_metrics as fm
from awf.generate import thresholds as t
from awf.generate.expr import any_of, by, gained, rate, selector
from awf.generate.rules._about_awf import PipelineAlert
from awf.generate.spec import PanelLink, RuleGroup

COMPONENT, QUEUE = (fm.COMPONENT_ID,), (fm.COMPONENT_ID, fm.DATA_TYPE)
WINDOW = "5m"
STILL = "10m"


def _either(parts: Iterable[str]) -> str:
    return " or ".join(parts)


LOSSES = _either(
    f"{gained(counter, COMPONENT, WINDOW)} > 0" for counter in (*fm.SEND_FAILED, *fm.ENQUEUE_FAILED)
)
# A queue that drains may stand at any size; one that never gets empty while nothing leaves it is stuck.
STANDS = by("max", QUEUE, f"min_over_time({fm.QUEUE_SIZE}[{STILL}])") + " > 0"
LEAVES = _either(f"{by('sum', COMPONENT, rate(counter, STILL))} > 0" for counter in fm.SENT)
REFUSES = _either(f"{by('sum', COMPONENT, rate(counter, WINDOW))} > 0" for counter in fm.REFUSED)

SPEC = RuleGroup(
    name="stack",
    interval="15s",
    alerts=(
        PipelineAlert(
            alert="AWFComponentDown",
            expr=f"{selector(fm.UP, job=any_of(fm.STACK_JOBS))} == 0",
            hold="1m",
            severity="critical",
            summary="{{ $labels.job }} does not answer ({{ $labels.instance }})",
            description="Alloy could not scrape it for a minute. Alloy keeps what a store does not take and delivers it "
            "later; dashboards, alerts and the watcher see less until then.",
            shown_by=PanelLink("awf-pipeline", "Up"),
        ),
        PipelineAlert(
            alert="AWFCollectorLosesData",
            expr=LOSSES,
            hold="0s",
            severity="critical",
            summary="Alloy lost {{ $value | humanize }} items on their way to {{ $labels.component_id }}",
            description="The store refused them for good and they are gone; or Alloy's queue had no room, and its sender "
            "was told so: AWF's exporter keeps such items and sends them again, others may not.",
            shown_by=PanelLink("awf-pipeline", "Dropped by Alloy"),
        ),
        PipelineAlert(
            alert="AWFCollectorQueueFull",
            expr=f"{by('max', QUEUE, f'{fm.QUEUE_SIZE} / {fm.QUEUE_CAPACITY}')} > {t.QUEUE_FULL}",
            hold="1m",
            severity="warning",
            summary="Alloy's queue for {{ $labels.component_id }} ({{ $labels.data_type }}) is "
            "{{ $value | humanizePercentage }} full",
            description="The store takes less than comes in. At 100% Alloy lets senders wait, and their spools fill.",
            shown_by=PanelLink("awf-pipeline", "Queue use"),
        ),
        PipelineAlert(
            alert="AWFCollectorQueueStalled",
            expr=f"{STANDS} unless on ({fm.COMPONENT_ID}) ({LEAVES})",
            hold="5m",
            severity="critical",
            summary="Alloy delivers nothing to {{ $labels.component_id }} ({{ $labels.data_type }})",
            description="Something waits and nothing has left for a quarter of an hour. What waits longer than the "
            "stores accept late data (6 hours for metrics and logs) will be refused when it arrives.",
            shown_by=PanelLink("awf-pipeline", "Waiting in Alloy"),
        ),
        PipelineAlert(
            alert="AWFCollectorRefuses",
            expr=REFUSES,
            hold="5m",
            severity="warning",
            summary="Alloy refuses telemetry at {{ $labels.component_id }}",
            description="Alloy's memory limit or its full queues turn senders away. AWF's exporter keeps what was "
            "refused and tries again; other senders may not.",
            shown_by=PanelLink("awf-pipeline", "Refused by Alloy"),
        ),
    ),
)
