"""Alerts about the watcher itself. It cannot mend itself: it tells people."""

from __future__ import annotations

from awf.core import semconv as sc
from awf.generate import thresholds as t
from awf.generate.expr import gained
from awf.generate.rules._about_awf import WatcherAlert
from awf.generate.spec import PanelLink, RuleGroup

STAGE = (sc.STAGE,)
WINDOW = "10m"
# One page that reaches nobody is enough; a query or an annotation that fails once is not.
SILENT = gained(sc.WATCHER_FAILURES, STAGE, WINDOW, stage="notifying")
FAILING = gained(sc.WATCHER_FAILURES, STAGE, WINDOW)

SPEC = RuleGroup(
    name="watcher",
    interval="15s",
    alerts=(
        WatcherAlert(
            alert="AWFWatcherFailing",
            expr=f"{SILENT} > 0 or {FAILING} >= 3",
            hold="0s",
            severity="critical",
            summary="The watcher failed {{ $value | humanize }} times in ten minutes ({{ $labels.stage }})",
            description="Alerts are received, but not all that should follow happens. Look at the open incidents "
            "yourself until this clears.",
            shown_by=PanelLink("awf-watcher", "Failures by stage"),
        ),
        WatcherAlert(
            alert="AWFApprovalExpiring",
            # Without the second part the last value would be seen for minutes after somebody answered.
            expr=f"min({sc.WATCHER_APPROVAL_EXPIRES}) < {t.APPROVAL_EXPIRES_SOON_S:.0f} and max({sc.WATCHER_APPROVALS_PENDING}) > 0",
            hold="0s",
            severity="warning",
            summary="An approval expires in {{ $value | humanizeDuration }} and nobody has answered",
            description="The watcher asks before it acts. When the time is over it does nothing and the incident is "
            "escalated.",
            shown_by=PanelLink("awf-watcher", "Until the first approval expires"),
        ),
    ),
)
