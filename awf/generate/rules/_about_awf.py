"""Alerts about AWF itself. No action of the watcher mends its telemetry or itself: it tells people."""

from __future__ import annotations

from functools import partial

from awf.core import semconv as sc
from awf.generate.spec import AlertRule

PipelineAlert = partial(AlertRule, action="notify_oncall", component=sc.PIPELINE)
WatcherAlert = partial(AlertRule, action="notify_oncall", component=sc.WATCHER)
