"""What was changed lately: what Grafana was told of (deployments, releases), and what engines were ordered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from awf.agents.probe import Probe
from awf.analysis.detectors.changes import WORKERS
from awf.analysis.findings import Change
from awf.core.escape import plain_text
from awf.core.incidents import WATCHER_NAME
from awf.core.ports import ChangeHistory, Telemetry
from awf.core.types import ControlChange, ControlKind

IN_GRAFANA, OF_ENGINES = "changes in Grafana", "changes ordered to engines"
BEFORE = timedelta(minutes=30)
OWN_TAGS = frozenset({"awf", "remediation"})

# In the words that teams and their pipelines mark changes with.
_IS_CHANGE = re.compile(
    r"deploy|releas|roll(?:ed)?[ -]?(?:out|back)|config|changed?\b|version|upgrad|migrat|feature.?flag|setting|switched",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Za-z0-9][\w.-]*")
_ORDERS = (
    ControlKind.SET_AGENT_ENABLED, ControlKind.SET_FALLBACK_FORCED, ControlKind.SET_TIMEOUT_FACTOR,
    ControlKind.SET_WORKER_LIMIT,
)  # fmt: skip


async def changes_before(
    telemetry: Telemetry, history: ChangeHistory | None, probe: Probe, alert_start: datetime, now: datetime
) -> list[Change]:
    """Return the changes from half an hour before an alert until now, oldest first, the watcher's own left out."""
    since = alert_start - BEFORE
    asked = probe.ask(IN_GRAFANA, partial(telemetry.annotations, start=since, end=now))
    orders: list[ControlChange] = []
    if history is None:
        annotations = await asked
    else:
        annotations, orders = await asyncio.gather(
            asked, probe.ask(OF_ENGINES, partial(history.changes_since, since))
        )
    found = [change for each in annotations if (change := _of_annotation(each)) is not None]
    found += [change for each in orders if (change := _of_order(each)) is not None]
    return sorted(found, key=lambda each: each.at)


def _of_annotation(annotation: Mapping[str, Any]) -> Change | None:
    """Read an annotation of Grafana's; None for one of the watcher, of an alert, or that tells of no change."""
    tags = [str(tag) for tag in annotation.get("tags") or ()]
    if (tags and set(tags) >= OWN_TAGS) or annotation.get("alertId") or annotation.get("newState"):
        return None
    text = f"{annotation.get('text') or ''} {' '.join(tags)}"
    at = annotation.get("time")
    if not isinstance(at, (int, float)) or not _IS_CHANGE.search(text):
        return None
    try:
        moment = datetime.fromtimestamp(at / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    said = plain_text(str(annotation.get("text") or text), 200)
    return Change(moment, said, _words(text), "annotations")


def _of_order(order: ControlChange) -> Change | None:
    if order.requested_by.startswith(WATCHER_NAME) or order.kind not in _ORDERS:
        return None
    arguments = ", ".join(f"{key}={value}" for key, value in sorted(order.arguments.items()))
    text = f"{order.requested_by} ordered {order.kind.value} ({arguments})"
    words = _words(" ".join(str(value) for value in order.arguments.values()))
    if order.kind is ControlKind.SET_WORKER_LIMIT:
        words |= {WORKERS}
    return Change(order.created_at, plain_text(text, 200), words, "controls")


def _words(text: str) -> frozenset[str]:
    return frozenset(word.rstrip(".") for word in _WORDS.findall(text[:2000]))
